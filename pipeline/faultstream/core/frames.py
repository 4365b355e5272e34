"""Stack frames made comparable: what generators, proxies and runtimes add to names taken off.

Rules for names of Python, Java and Kotlin, JavaScript, Go, .NET, PHP and Ruby stand in one list,
because a name does not say where it comes from. Line numbers never count.
"""

# ruff: noqa: ISC004  (long expressions are cut into lines; the commas are all there)
import re
from collections.abc import Callable, Sequence
from typing import Final

from faultstream.core.event import Frame

MAX_CYCLE: Final = 8
"""The longest recursion, in frames, that is recognised as one."""
MAX_PARTS: Final = 8
"""Generated parts of one kind that are taken off a name."""
_MAX_RAISER: Final = 192
"""Longer names of functions fit no expression for those that only raise."""


def _groups(match: re.Match[str]) -> str:
    return "".join([group for group in match.groups() if group])


def _lambda_of(match: re.Match[str]) -> str:
    return f"{match[1]}.<lambda>"


Rule = tuple[str, re.Pattern[str], str | Callable[[re.Match[str]], str]]

# Applied in order to functions, and the first group also to modules and types. Before each
# expression stands what any name has that it fits, because looking for that is far cheaper.
_GENERATED: Final[tuple[Rule, ...]] = tuple(
    (part, re.compile(expression), replacement)
    for part, expression, replacement in (
        # Spring, CGLIB, ByteBuddy, Javassist, Guice, Hibernate, mock classes
        ("$$", r"\$\$(?:Enhancer|FastClass|EnhancedBy|SpringCGLIB|Lambda|KeyFactory|Hibernate|Mock)"
         r"[\w$./]{0,400}", ""),
        ("_$$_", r"_\$\$_(?:jvst|javassist|Weld)[\w$]{0,200}", ""),
        ("$", r"\$(?:ByteBuddy|HibernateProxy|HibernateAccessOptimizer|MockitoMock|Proxy)\$"
         r"[\w$]{0,200}", ""),
        ("$Proxy", r"(?:com\.sun\.proxy\.|jdk\.proxy[0-9]{1,4}\.)?\$Proxy[0-9]{1,9}", "$Proxy"),
        ("Accessor", r"(?:(?<=GeneratedMethodAccessor)|(?<=GeneratedConstructorAccessor)"
         r"|(?<=GeneratedSerializationConstructorAccessor))[0-9]{1,9}", ""),
        ("LambdaForm", r"(LambdaForm\$\w{1,40})/0x[0-9a-f]{1,16}", _groups),
        ("/0x", r"/0x[0-9a-f]{4,16}", ""),
        ("@", r"@[0-9a-f]{6,16}\b", ""),
        ("::h", r"::h[0-9a-f]{16}\b", ""),  # Rust
        ("_", r"_(?:ClientProxy|Subclass)\b", ""),  # Quarkus
        ("$_", r"(\$_(?:\w{1,80}_)?closure)[0-9]{1,6}", _groups),  # Groovy
        # Clojure
        ("__", r"__(?:(?<=\$fn__)|(?<=\$eval__)|(?<=\$reify__)|(?<=\$iter__))[0-9]{1,9}", ""),
        ("+<>c", r"\+<>c(?:__DisplayClass[0-9_]{1,12})?", ""),  # C#
        ("class@", r"class@anonymous\S{0,400}", "class@anonymous"),  # PHP, with a path and a number
    )
)  # fmt: skip
_FUNCTIONS: Final[tuple[Rule, ...]] = tuple(
    (part, re.compile(expression), replacement)
    for part, expression, replacement in (
        ("", r"^async |^async\*|^await in |^new |^bound ", ""),
        (" in ", r"^(?:block|rescue|ensure)(?: \([0-9]{1,3} levels\))? in ", ""),  # Ruby
        ("<", r"\.<locals>\.", "."),  # Python
        ("lambda$", r"\blambda\$(\w{1,200}?)\$[0-9]{1,9}", _lambda_of),  # Java
        ("fun$", r"\bfun\$(\w{1,200}?)\$[0-9]{1,9}", _lambda_of),
        (">", r"<([\w.]{1,200})>(?:d__[0-9]{1,6}(?:`[0-9])?\.MoveNext|b__[0-9_]{1,12}"
         r"|g__(\w{1,200})\|[0-9_]{1,12})", _groups),  # C#: async, lambdas, local functions
        ("<>c", r"(?:\.|^)<>c(?:__DisplayClass[0-9_]{1,12})?(?=\.|$)", ""),
        ("lambda_method", r"^(lambda_method)[0-9]{1,9}", _groups),
        ("]", r" \[as [^\]]{1,200}\]$", ""),  # JavaScript
        ("access$", r"\baccess\$[0-9]{3,4}\b", "access"),
        (".func", r"(\.func[0-9]{1,6})(?:\.[0-9]{1,6})*", ".func"),  # Go
        (".gowrap", r"\.gowrap[0-9]{1,6}", ".func"),
        ("[...]", r"\[\.\.\.\]", ""),
        ("}", r"\{closure(?:[:#][^}]{0,400})?\}", "<lambda>"),  # PHP
        ("anonymous", r"<anonymous(?:_[0-9]{1,6})?>|\(anonymous(?: function)?\)|^anonymous$",
         "<anonymous>"),
        ("<anonymous>", r"^(?:Object|Function|Module|Array)\.(?=<anonymous>)", ""),
        ("comp>", r"<(?:listcomp|genexpr|dictcomp|setcomp)>", "<comp>"),
        (")", r"\(\[?[^()]{0,400}\]?\)$", ""),
        ("$", r"\$[0-9]{1,9}(?=$|[.$])", "$"),
        ("_", r"(?<=[A-Za-z])_[0-9a-f]{8,40}$", ""),
    )
)  # fmt: skip
_STATE_MACHINE: Final = re.compile(r"^(.{1,500})[+.]<([\w.]{1,200})>d__[0-9]{1,6}(?:`[0-9])?$")
_RUBY_OWNER: Final = re.compile(r"^[A-Z]\w{0,100}(?:::[A-Z]\w{0,100}){0,16}[#.](?=\w)")
# Functions that build or raise an error for others: the place is where they were called.
_RAISER: Final = re.compile(
    r"^_{0,2}(?:(?:report|construct|create|new|make|build|throw|raise|fail|handle|wrap|signal|get)_?"
    r"(?:[A-Za-z0-9]{0,60}_?)?(?:[Ee]rror|[Ee]xception|[Ff]ailure)(?:With|For|In|From|_)?\w{0,60}"
    r"|(?:throw|raise)(?:_?[A-Z_]\w{0,60})?|raise_for_status|fail(?:With|_with)?|panic|abort|die"
    r"|(?:check|require|ensure|assert|verify)(?:_?(?:Not|Non|State|Arg|Element|Index|Position|True"
    r"|False|That|Equal|Null|Precondition|Condition)\w{0,60})?"
    r"|invariant|expect(?:_failed)?|unwrap(?:_failed)?)$"
)
_TYPE_DIGITS: Final = re.compile(r"\$[0-9]{1,9}(?=$|[.$])")
# Frames that only carry a call on: async plumbing, reflection, proxies.
_PLUMBING: Final = re.compile(
    r"^(?:jdk\.internal\.reflect|java\.lang\.reflect|sun\.reflect|java\.lang\.invoke"
    r"|org\.springframework\.(?:aop|cglib)|kotlin\.coroutines|kotlinx\.coroutines"
    r"|System\.Runtime\.(?:CompilerServices|ExceptionServices)|System\.Threading\.(?:Tasks|Exec)"
    r"|asyncio(?:\.|$)|concurrent\.futures|runpy$|importlib\b|contextlib$|functools$|runtime$"
    r"|node:internal|internal/|\$Proxy)"
)
_PLUMBING_PARTS: Final = (".GeneratedMethodAccessor", "LambdaForm")
# It begins with a set of characters, so that the engine leaps to where one may be.
_TEST: Final = re.compile(
    r"[TtS_](?:(?<![^.$_].)(?:(?<=[Tt])ests?(?=[.$]|$)|(?<=T)est[A-Z]\w{0,100}+(?=[.$]|$)"
    r"|(?<=t)est_\w{1,100}+(?=[.$]|$))"
    r"|(?<=\wT)est(?:s?|Case)(?=[.$]|$)|(?<=\wS)pec(?=[.$]|$)|(?<=\w_)(?:test|spec)(?=[.$]|$))"
)
_LIBRARY_MODULE: Final = re.compile(
    r"^(?:javax?|jdk|sun|com\.sun|kotlinx?|scala|groovy|clojure|android|androidx|dalvik"
    r"|org\.(?:springframework|apache|hibernate|eclipse|jboss|junit|mockito|slf4j|aspectj|postgresql)"
    r"|io\.(?:netty|grpc|reactivex|micrometer|projectreactor|vertx|undertow)|reactor|junit"
    r"|com\.(?:fasterxml|google\.common|mysql|zaxxer|amazonaws|oracle)|ch\.qos|okhttp3|retrofit2"
    r"|System|Microsoft|Newtonsoft|Npgsql|mscorlib|Xunit|NUnit|Castle"
    r"|runtime|net/http|database/sql|reflect|testing|encoding/\w+|google\.golang\.org"
    r"|django|flask|werkzeug|jinja2|sqlalchemy|psycopg2?|asyncpg|redis|celery|kombu|requests"
    r"|urllib3?|http|httpx|httpcore|aiohttp|starlette|fastapi|uvicorn|gunicorn|pydantic|boto3"
    r"|botocore|grpc|asyncio|concurrent|threading|socket|ssl|json|logging|unittest|_?pytest|pluggy"
    r"|node:|internal/|Illuminate|Symfony|Doctrine|Laravel)(?:$|[./\\:_])"
)
_LIBRARY_FOLDER: Final = re.compile(
    r"/(?:(?:site|dist)-packages|node_modules|vendor|gems|python[0-9.]{1,5}|jre|jdk|go/pkg/mod"
    r"|usr/(?:lib|local/go))/"
)
_LIBRARY_FILES: Final = ("node:", "internal/", "<frozen")
_MEMO_ENTRIES: Final = 32_768
MEMO: Final[dict[tuple[str, str, str], str]] = {}


def plain_name(name: str) -> str:
    """A module or type without what code generators and class loaders add to it."""
    name = name.strip().lstrip("*").removeprefix("app//").removeprefix("java.base/")
    if not name or name.isidentifier():
        return name
    for part, expression, replacement in _GENERATED:
        if part in name:
            name = expression.sub(replacement, name, MAX_PARTS)
    return name


def plain_type(name: str) -> str:
    """An error type as it counts in a fingerprint: anonymous classes lose their number."""
    return _TYPE_DIGITS.sub("$", plain_name(name))


def plain_function(name: str) -> str:
    """A function without lambda numbers, state machines, block levels and arguments."""
    if name.isidentifier():
        return name
    name = plain_name(name)
    for part, expression, replacement in _FUNCTIONS:
        if part in name:
            name = expression.sub(replacement, name, MAX_PARTS)
    return name.strip(" .")


def frame_name(frame: Frame) -> str:
    """`module:function`, the file's base name in lower case where no module is known."""
    key = (frame.module, frame.function, frame.file)
    known = MEMO.get(key)
    if known is None:
        module, function = frame.module, frame.function
        if function == "MoveNext":  # C#: what runs an async function or a generator
            machine = _STATE_MACHINE.match(module)
            if machine is not None:
                module, function = machine[1], machine[2]
        place = plain_type(module)
        function = plain_function(function)
        if not place and frame.file.endswith(".rb"):  # the owner is told since Ruby 3.4
            function = _RUBY_OWNER.sub("", function)
        if not place:
            place = frame.file.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
            place = re.sub(r"[.-][0-9a-f]{8,40}(?=\.)", "", place.partition("?")[0])
        known = f"{place}:{function}"
        if len(MEMO) >= _MEMO_ENTRIES:
            MEMO.clear()
        MEMO[key] = known
    return known


def in_app(frame: Frame) -> bool:
    """What the producer said, else a guess from well-known library names and folders."""
    if frame.in_app is not None:
        return frame.in_app
    if frame.module and _LIBRARY_MODULE.match(frame.module):
        return False
    return not (frame.file and _is_library_file(frame.file))


def _is_library_file(file: str) -> bool:
    path = file.replace("\\", "/")
    return (
        ("/" in path and _LIBRARY_FOLDER.search("/" + path) is not None)
        or file.startswith(_LIBRARY_FILES)
        or file == "native"
    )


def is_plumbing(frame: Frame) -> bool:
    """Frames of runtimes and proxies that come and go with versions and never are the place."""
    module = frame.module
    return bool(module) and (
        _PLUMBING.match(module) is not None or any(part in module for part in _PLUMBING_PARTS)
    )


def is_test(frame: Frame) -> bool:
    """Frames of test cases: callers, of which a fault may have many."""
    module = frame.module
    return bool(module) and (".junit." in module or _TEST.search(module) is not None)


def is_raiser(frame: Frame) -> bool:
    """Functions that raise for many callers, such as `throwError` and `checkArgument`."""
    return len(frame.function) <= _MAX_RAISER and _RAISER.match(frame.function) is not None


def without_recursion(names: Sequence[str]) -> list[str]:
    """`names` with every run of a repeated cycle of up to MAX_CYCLE frames left once.

    How deep a recursion went, and at which of its functions it ended, says nothing about the
    fault; the first is taken out here. At most len(names) * MAX_CYCLE comparisons.
    """
    kept: list[str] = []
    for name in names:
        once = name not in kept[-MAX_CYCLE:]
        kept.append(name)
        if once:
            continue
        for size in range(1, MAX_CYCLE + 1):
            if len(kept) < 2 * size:
                break
            if name == kept[-1 - size] and kept[-size:] == kept[-2 * size : -size]:
                del kept[-size:]
                break
    return kept
