"""Which events are one problem."""

import pytest

from faultstream.core.event import Cause, ErrorEvent, Frame
from faultstream.core.fingerprint import Fingerprint, fingerprint
from faultstream.core.frames import (
    frame_name,
    is_raiser,
    plain_function,
    plain_type,
    without_recursion,
)
from faultstream.core.template import template


def made(**fields: object) -> ErrorEvent:
    return ErrorEvent(**{"service": "a", "error_type": "E", **fields})  # type: ignore[arg-type]


def of(**fields: object) -> Fingerprint:
    event = made(**fields)
    return fingerprint(event, template(event.message))


def frames(*names: str, line: int = 1, in_app: bool | None = None) -> list[Frame]:
    return [Frame(module="shop.orders", function=n, line=line, in_app=in_app) for n in names]


def test_for_ever() -> None:
    """The fingerprint of a version never changes; a change needs a new version."""
    found = of(error_type="KeyError", message="order 17 failed")
    assert (found.version, found.app) == ("fs1", "521c269b2c71952cbee4a6207779b3a1")
    assert of(frames=frames("f", "g")).app == "bd772d859aa830c27a709b260ea13a84"


def test_lines_do_not_count() -> None:
    """A shift of lines keeps the group; another function makes another."""
    assert of(frames=frames("f", "g")).app == of(frames=frames("f", "g", line=99)).app
    assert of(frames=frames("f", "g")).app != of(frames=frames("f", "h")).app


def test_message_counts_only_without_frames() -> None:
    """With frames, messages do not divide; without, their templates do."""
    assert of(frames=frames("f"), message="a").app == of(frames=frames("f"), message="b").app
    assert of(message="a b").app != of(message="a c").app
    assert of(message="a 1").app == of(message="a 2").app


def test_an_address_counts_once_with_its_name_or_without() -> None:
    """Whether a name was found for an address does not divide; another name behind it does."""
    named = of(message="connection from 10.0.0.5 (pc-7.example.net) refused")
    assert named.app == of(message="connection from 10.0.0.6 () refused").app
    assert named.app == of(message="connection from 10.0.0.6 (10.0.0.6) refused").app
    assert named.app != of(message="connection from 10.0.0.5 (admin) refused").app


def test_callers_divide_one_throwing_place() -> None:
    """Different bugs at one throw site are apart when their callers differ."""
    assert of(frames=frames("pay", "check")).app != of(frames=frames("ship", "check")).app


def test_library_frames_count_in_the_system_variant_only() -> None:
    """A new library version changes the system variant and keeps the app variant."""
    one = [*frames("f"), Frame(module="requests.api", function="get", in_app=False)]
    two = [*frames("f"), Frame(module="requests.sessions", function="send", in_app=False)]
    assert of(frames=one).app == of(frames=two).app
    assert of(frames=one).system != of(frames=two).system


def test_chained_types_count() -> None:
    """The types of the chain divide, and without frames the innermost message too."""
    refused = [Cause(error_type="C", message="refused")]
    assert of(causes=refused).app != of().app
    assert of(causes=refused).app != of(causes=[Cause(error_type="C", message="full")]).app


def test_given_parts() -> None:
    """Given parts decide alone; with `{{ default }}` they divide the default group."""
    assert of(fingerprint=["x"], message="a").app == of(fingerprint=["x"], message="b").app
    assert of(fingerprint=["{{ default }}"], message="a").app == of(message="a").app
    salted = [of(fingerprint=["x", "{{ default }}"], message=m).app for m in ("a", "b")]
    assert len({*salted, of(message="a").app}) == 3


def test_parts_cannot_be_confused() -> None:
    """Where one part ends and the next begins counts."""
    assert of(fingerprint=["ab", "c"]).app != of(fingerprint=["a", "bc"]).app


def test_recursion_is_collapsed() -> None:
    """How deep a recursion went does not count."""
    short = of(frames=frames("main", "walk", "visit", "walk", "visit", "fail"))
    deep = of(frames=frames("main", *["walk", "visit"] * 50, "fail"))
    assert (short.app, short.system) == (deep.app, deep.system)
    assert without_recursion(["a", "b", "b", "b", "c"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("lambda$charge$0", "lambda$charge$17"),
        ("access$000", "access$100"),
        ("<Charge>d__5.MoveNext", "<Charge>d__9.MoveNext"),
        ("<>c__DisplayClass1_0.<Run>b__0", "<>c__DisplayClass4_0.<Run>b__2"),
        ("main.charge.func1", "main.charge.func2.1"),
        ("block in charge", "block (2 levels) in charge"),
        ("{closure:/app/a.php:17}", "{closure:/app/a.php:21}"),
        ("async charge", "charge"),
        ("run.<locals>.charge", "run.charge"),
        ("lambda_method123(Closure )", "lambda_method7(Closure )"),
        ("Pay.charge [as handler]", "Pay.charge"),
    ],
)
def test_generated_functions(first: str, second: str) -> None:
    """Numbers and marks of generators in function names do not divide."""
    assert plain_function(first) == plain_function(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("shop.Pay$$EnhancerBySpringCGLIB$$1a2b3c", "shop.Pay"),
        ("shop.Pay$$SpringCGLIB$$0", "shop.Pay"),
        ("com.sun.proxy.$Proxy12", "jdk.proxy2.$Proxy44"),
        ("shop.Pay$1", "shop.Pay$2"),
        ("*errors.errorString", "errors.errorString"),
        ("shop.Pay_ClientProxy", "shop.Pay"),
        ("shop.Pay$_run_closure1", "shop.Pay$_run_closure4"),
        ("shop.pay$fn__1234", "shop.pay$fn__88"),
        ("Shop.Pay+<>c__DisplayClass4_0", "Shop.Pay"),
    ],
)
def test_generated_types(first: str, second: str) -> None:
    """Proxies and anonymous classes are their class."""
    assert plain_type(first) == plain_type(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Frame(module="Shop.Pay+<Charge>d__3", function="MoveNext"),
         Frame(module="Shop.Pay", function="Charge")),
        (Frame(function="Pay#charge", file="app/pay.rb"),
         Frame(function="charge", file="app/pay.rb")),
        (Frame(function="block in Shop::Pay.charge", file="app/pay.rb"),
         Frame(function="charge", file="app/pay.rb")),
    ],
)  # fmt: skip
def test_generated_frames(first: Frame, second: Frame) -> None:
    """What spreads over module and function is brought back too."""
    assert frame_name(first) == frame_name(second)


@pytest.mark.parametrize(
    "helper", ["throwError", "_reportError", "raise_for_status", "checkArgument", "die", "newError"]
)
def test_who_raises_for_others_is_passed_over(helper: str) -> None:
    """Functions that raise for many callers do not merge the faults of those."""
    out, back = frames("main", "serve", "refund", helper), frames("main", "serve", "charge", helper)
    assert of(frames=out).app != of(frames=back).app
    assert next(part for part in of(frames=out).parts if part.name == "frames").values == (
        "shop.orders:serve",
        "shop.orders:refund",
    )
    assert of(frames=frames(helper)).app != of(frames=frames("f")).app


@pytest.mark.parametrize("place", ["checkout", "checkInventory", "failOrder", "requestRefund"])
def test_places_are_no_helpers(place: str) -> None:
    """Functions of the application that only sound alike are places."""
    assert not is_raiser(Frame(function=place))


def test_async_frames_do_not_divide() -> None:
    """Frames of the event loop come and go; the group stays."""
    loop = Frame(module="asyncio.runners", function="run", in_app=False)
    assert of(frames=[loop, *frames("f")]).system == of(frames=frames("f")).system


def test_explanation() -> None:
    """Every part that was looked at stands in the explanation, with why it does not count."""
    parts = {part.name: part for part in of(frames=frames("f"), message="m 1").parts}
    assert parts["frames"].values == ("shop.orders:f",)
    assert not parts["message"].counts
    assert parts["message"].hint == "frames take precedence"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("open ./conf/app.yml failed", "open ../etc/b.yml failed"),
        ("open conf/app.yml failed", "open etc/deep/b.yml failed"),
        (r"share \\server1\share\a lost", r"share \\nas\b lost"),
        ("address ::ffff:10.0.0.1 down", "address ::1 down"),
        ("host1/10.0.0.1:80 lost", "host-b.acme.example/10.0.0.2:90 lost"),
        ("host1/10.0.0.1:80 lost", "/10.0.0.2:90 lost"),
        ("token dGhpcyBpcyBhIHRlc3Qh0jk= bad", "token QUJDREVGR0hJSktMTU5PUA== bad"),
        ("object [B@1a2b3c4d leaked", "object [B@7f00aa leaked"),
        ("pod web-6d4cf56db6-x7k2p died", "pod web-7f8c9d5b4-abcde died"),
        ("at 11/22/2026 02:01:39 PM", "at 1/2/2026 2:01:39 AM"),
        ("on 22 Nov 2026 it broke", "on 1 Dec 2025 it broke"),
        ("on Nov 22, 2026 it broke", "on December 1, 2025 it broke"),
        ("1st try failed", "22nd try failed"),
        ("User: bob failed", "User: al.b failed"),
        # Whether it is long enough to look like an id is chance.
        ("block blk_99_1 gone", "block blk_1073741825123_1001 gone"),
        ("thread pool-3-thread-1 died", "thread pool-11-thread-1234 died"),
        ("thread http-nio-80-exec-5 died", "thread http-nio-8080-exec-51 died"),
    ],
)
def test_values_in_many_forms(one: str, other: str) -> None:
    """What is written in another way, or is longer by chance, does not divide."""
    assert of(message=one).app == of(message=other).app


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("read and/or write failed", "read and write failed"),
        ("disk-1 full", "cpu-1 full"),
        ("Mark 3 4 missing", "Note 3 4 missing"),
        ("counter resourcelimit= unset", "counter timelimit= unset"),
        ("foo.py:17 failed", "bar.py:17 failed"),
        ("mail to bob@cafe failed", "mail to ann@desk failed"),
        ("one-important-thing failed", "some-important-thing failed"),
    ],
)
def test_words_are_no_values(one: str, other: str) -> None:
    """What only looks a little like a value still divides."""
    assert of(message=one).app != of(message=other).app
