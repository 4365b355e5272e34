"""A message without what varies in it: the part of a fingerprint that comes from text.

Two steps. `canonical` makes every digit a 0, except in codes that say what went wrong (HTTP 503,
errno 28), whose digits become private-use characters. It is cheap, and everything after it sees
nothing but its result, so that is a safe key to remember results by. `parameterise` then goes
through the words and replaces what looks like a value by `<name>`, first pattern first. Nothing is
learned: the same message gives the same template on every worker, for ever.

Only the head of a message counts, its first two lines with something in them within
`HEAD_CHARS`, and every repeat in the expressions is bounded or excludes what follows it, so the
cost is linear and small whatever is sent.
"""

# ruff: noqa: ISC004  (long expressions are cut into lines; the commas are all there)
import re
from collections.abc import Hashable
from functools import cache, lru_cache
from itertools import chain, islice
from typing import Any, Final

from faultstream.core.scrub import ZEROED

HEAD_CHARS: Final = 512
MAX_STATES: Final = 4
"""SQLSTATEs with letters that are looked for in one message."""

_CODED: Final = ("http", "stat", "code", "err", "sql", "ora-", "idx")
# A number that says what went wrong, not to whom, by what stands before it. Letters are lower case
# and digits 0 here; it begins with a set, so that the engine leaps to where one may be.
_CODE: Final = re.compile(
    r"[cehios](?<![a-z].)(?:(?:(?<=h)ttp(?:/0(?:\.0)?)?|(?<=s)tatus(?:[ _-]?code)?|(?<=e)rrno"
    r"|(?<=e)rror(?:[ _-]?(?:code|no))?|(?<=c)ode|(?<=s)ql(?:state|code)"
    r"|(?<=e)xit(?:ed with)?(?: code| status)?)(?: is| was)?"
    r"[\"']?\s?[:=#(\[]?\s?[\"']?|(?<=o)ra-|(?<=i)dx)(?<![0-9])([0-9]+)"
)
_AFTER_STATE: Final = re.compile(r"(?<![a-z])sqlstate\[\w{5}\] ?[:\[]? ?([0-9]+)")
# An SQLSTATE may have letters: 40P01, 42S02, HY000.
_STATE: Final = re.compile(r"(?i:sqlstate)[\s:=(\[\"']{0,4}([0A-Z]{5})(?![0-9A-Za-z])")
_LEADING: Final = re.compile(r"000 [A-Z\"']")
_BRACKETED: Final = re.compile(r"\(000\)")
_NUMBER: Final = re.compile(r"[0-9]+")
_MAX_DIGITS: Final = 5
_CODE_DIGITS: Final = {48 + digit: chr(0xE000 + digit) for digit in range(10)}
_CODE_BACK: Final = {0xE000 + digit: chr(48 + digit) for digit in range(10)}

_TLD: Final = (
    "com|net|org|io|dev|app|cloud|local|internal|localdomain|lan|invalid|example|test|arpa|edu"
    "|gov|info|biz|me|co|uk|de|fr|nl|eu|us|ca|au|jp|cn|kr|in|ru|br|it|es|pl|se|ch|at|tw|vn|mx|gr"
    "|ar|cz|fi|no|dk|tr|id|th|my|sg|hk|nz|za|ro|hu|pt|be|ua|ir|il"
)
_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_WHOLE_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sep(?:t|tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
# Within one word. The order decides where several would fit.
_PATTERNS: Final = (
    ("url", r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s\"'<>()\[\]{}|,]+"),
    ("email", r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"),
    ("uuid", r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
             r"(?![0-9A-Fa-f])"),
    ("date", r"(?<![0-9])[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}(?:[T:]{1,2}[0-9]{1,2}:[0-9]{2}"
             r"(?::[0-9]{2})?(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?(?![0-9])"
             r"|(?<![0-9/])[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}(?![0-9/])"),
    ("time", r"(?<![0-9:])[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,:][0-9]{1,9})?(?![0-9:])"),
    ("mac", r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])"),
    ("peer", r"(?<![\w./-])[A-Za-z][\w.-]{0,128}/[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?"
             r"(?![0-9.]?[0-9]|[-.]{0,2}[A-Za-z])"),
    ("ip", r"(?<![0-9.])/?[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9]{1,2}(?![0-9]))?(?::[0-9]{1,5})?"
           r"(?![0-9.]?[0-9]|[-.]{0,2}[A-Za-z])"
           r"|\[(?:[0-9A-Fa-f]{0,4}:){2,8}[0-9A-Fa-f]{0,4}(?:%\w{1,16})?\](?::[0-9]{1,5})?"
           r"|(?<![0-9A-Za-z:.])(?:(?:[0-9A-Fa-f]{1,4}:){3,7}|(?:[0-9A-Fa-f]{1,4}:){1,6}:|::)"
           r"(?:[0-9A-Fa-f]{1,4}:){0,6}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4})"
           r"(?:%\w{1,16})?(?![0-9A-Za-z:])"),
    ("file", r"(?<![\w/.])\.{1,2}(?:/[\w.@%+~=,$#-]{1,255}){1,64}/?"
             r"|(?<![\w/.}-])[\w-]{1,64}(?:/[\w@%+~=-]{1,128}){1,32}"
             r"\.[A-Za-z][A-Za-z0-9]{0,9}(?![\w/.-])"),
    ("share", r"(?<![\w\\])\\\\[\w.$-]{1,64}\\[^\s\"'<>|:*?]+"),
    ("path", r"(?<![\w/.])(?:/[\w.@%+~=,$#-]{1,255}){2,64}/?|(?<![\w/.])~?/[\w@%+~=-]{1,255}"
             r"\.[A-Za-z]{1,10}\b|(?<![A-Za-z0-9])[A-Za-z]:\\[^\s\"'<>|:*?]+"),
    ("host", r"(?<![\w.@-])(?:[A-Za-z0-9][A-Za-z0-9_-]{0,62}\.){1,8}(?:" + _TLD +
             r")(?::[0-9]{1,5})?(?![\w-]|\.[\w])|(?<!\w)localhost(?!\w)(?::[0-9]{1,5})?"),
    ("hash", r"(?<=[\w\]>;]@)(?=[a-f]{0,16}[0-9])[0-9a-f]{4,16}(?![\w./-])"),
    ("hex", r"(?<![A-Za-z0-9])(?:0[xX][0-9A-Fa-f]+|(?=[A-Fa-f]{0,64}[0-9])(?=[0-9]{0,64}[A-Fa-f])"
            r"[0-9A-Fa-f]{7,128}|[A-Fa-f]{8,128})"
            r"(?![A-Za-z0-9])"),
    ("id", r"(?<![A-Za-z0-9_-])(?=[A-Za-z_-]{0,64}[0-9][A-Za-z_-]{0,64}[0-9])"
           r"(?=[0-9_-]{0,64}[A-Za-z])[A-Za-z0-9_-]{20,256}(?![A-Za-z0-9_-])"
           r"(?:={1,2}(?![^\s\"',;)\]}]))?"),
    ("pod", r"(?<![\w-])[a-z][a-z0-9-]{0,60}-(?=[a-z]{0,9}[0-9])[a-z0-9]{8,10}"
            r"-[a-z0-9]{5}(?![\w-])"),
    ("size", r"(?<![\w.])-?[0-9]+(?:[.,][0-9]+){0,8}(?:[kKMGTP]i?[Bb]|bytes|[Bb])(?![A-Za-z])"),
    ("duration", r"(?<![\w.])-?[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|secs?|m|mins?|h|hrs?)"
                 r"(?![A-Za-z])"),
    ("version", r"(?<![A-Za-z0-9.])v?[0-9]+(?:\.[0-9]+){2,8}(?![0-9A-Za-z])"),
    ("float", r"(?<![A-Za-z0-9.])[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?(?![0-9.]?[0-9A-Za-z])"),
    ("int", r"(?<![A-Za-z0-9])-?[0-9]+(?![A-Za-z0-9])|[0-9]+(?:(?:st|nd|rd|th)(?![A-Za-z0-9]))?"),
)  # fmt: skip
# What must stand in a word that a pattern could fit: sets of characters, one of each of a group;
# `localhost` stands for a dot.
_DIGITS: Final = "0123456789"
_MARKS: Final = (_DIGITS[0], ":", "/", "\\", "@", ".", "-")
_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "url": (":", "/"), "email": ("@", "."), "uuid": ("-",), "date": (_DIGITS, "-/"),
    "time": (_DIGITS, ":"), "mac": (":-",), "ip": (":.",), "path": ("/\\",), "host": (".",),
    "version": (_DIGITS, "."), "float": (_DIGITS, "."), "peer": (_DIGITS, "/", "."),
    "file": ("/", "."), "share": ("\\",), "hash": (_DIGITS, "@"), "pod": (_DIGITS, "-"),
} | dict.fromkeys(("id", "size", "duration", "int"), (_DIGITS,))  # fmt: skip
_ALSO: Final = {"peer": "ip", "file": "path", "share": "path", "hash": "hex", "pod": "id"}
_NAMES: Final = {name: f"<{_ALSO.get(name, name)}>" for name, _ in _PATTERNS}
# Over several words, once the single ones are named.
_DATE_WORDS: Final = re.compile(
    r"(?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? )?(?:\b" + _MONTH + r" <int>|<int>[- ]"
    + _MONTH + r"),?(?:[- ]<int>)?,? <time>(?: [A-Z]{3,4}\b)?(?: <int>)?"
    r"|<date>,? <time>(?: [AP]M\b)?|\b" + _WHOLE_MONTH + r" <int>,? <int>|<int>[- ]"
    + _WHOLE_MONTH + r",?[- ]<int>"
)  # fmt: skip
_MONTHS: Final = re.compile(_WHOLE_MONTH + " <|> " + _WHOLE_MONTH)
_UNIT_WORDS: Final = re.compile(
    r"<(?:int|float)> (?:(?P<duration>ns|us|ms|msecs?|millis(?:econds?)?|secs?|seconds?|minutes?"
    r"|mins?|hours?|days?)|(?P<size>[kKMGTP]i?[Bb]|bytes?))(?![A-Za-z])"
)
# One name made of several values, and a place in a file system of any kind.
_COMPOUND: Final = re.compile(r"([(\[{'\"]{0,2})[\w.~@+#-]{4,256}([)\]}'\",.;:!?]{0,3})")
# Who is meant: the word behind `user` and the like, and the one between `for` and an address.
_WHO: Final = re.compile(
    r"\b((?:[Uu]ser(?:name)?|[Aa]ccount|[Ll]ogin|USER):? (?:name )?)"
    r"(?!(?:unknown|is|was|not|has|have|had|with|does|did|can|could|cannot|must|may|will|should"
    r"|already|exists?|account|name|agent|id|in|for|by|from|to|on|at|of|and|or|as|via|login|logged"
    r"|session|input|data|role|roles|error|failed|failure|denied|locked|disabled|expired|request"
    r"|requests|rate|limit|service|settings|profile|info|interface|defined|mode|space|found"
    r"|authentication|authorization|auth|token|password|permissions?|type|group|level)\b|<)"
    r"[^\s,;:()\[\]{}]{1,64}"
    r"|\b(for )(?!<)[^\s,;:()\[\]{}]{1,64}(?= from <(?:ip|host)>)"
    r"|\b(?<=[a-z])((?:user|login|username|account|owner)=)(?!<)[^\s,;()\[\]{}]{1,64}"
    r"|(?<![A-Za-z])((?:user|login|username|account|owner)=)(?!<)[^\s,;()\[\]{}]{1,64}"
)
_LISTED: Final = re.compile(r"(<[a-z]+>)(?:(?:, ?| |;|\|)\1)+")

_MEMO_ENTRIES: Final = 32_768
_MEMO_CHARS: Final = 64
_NO_DIGIT: Final = re.compile(r"[^0-9]*").fullmatch
_words: dict[str, str] = {}
_places: dict[bytes, tuple[slice, ...]] = {}
_PLACES_BYTES: Final = 256
MEMOS: Final[tuple[dict[Any, Any], ...]] = (_words, _places)
"""What is remembered between messages; forgetting costs time, never an answer."""


def head(message: str) -> str:
    """The part of a message that counts for grouping: two lines, HEAD_CHARS at most."""
    if len(message) <= HEAD_CHARS and "\n" not in message:
        return message
    text = message[: 16 * HEAD_CHARS].strip()[:HEAD_CHARS]
    if "\n" not in text:
        return text
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[:2])


def shape_key(text: str) -> Hashable:
    """Equal only for texts of which `canonical` makes the same; far cheaper than that.

    It is the text in UTF-8 with its digits made equal, and the digits that may be a code's.
    """
    raw = text.encode("utf-8", "surrogatepass")
    zeroed = raw.translate(ZEROED)
    places = _places.get(zeroed)
    if places is None:
        places = code_places(zeroed)
    if not places:
        return zeroed
    return zeroed, raw == zeroed, *[raw[place] for place in places]


def code_places(zeroed: bytes) -> tuple[slice, ...]:
    """Where digits of a text may be a code's; `zeroed` is its UTF-8 with digits made equal."""
    places = _places.get(zeroed)
    if places is None:
        places = _code_places(zeroed)
        if len(zeroed) <= _PLACES_BYTES:
            if len(_places) >= _MEMO_ENTRIES:
                _places.clear()
            _places[zeroed] = places
    return places


def _code_places(zeroed: bytes) -> tuple[slice, ...]:
    plain = zeroed.decode("utf-8", "surrogatepass")
    if "0" not in plain or not _has_codes(plain):
        return ()
    found = candidates(plain)
    if plain.isascii():
        return tuple([slice(start, stop) for start, stop, _ in found])
    places: list[slice] = []
    end = size = 0
    for start, stop, _ in found:  # digits are one byte each
        size += len(plain[end:start].encode("utf-8", "surrogatepass"))
        places.append(slice(size, size + stop - start))
        end, size = stop, size + stop - start
    return tuple(places)


def canonical(text: str) -> str:
    """`text` with all digits made equal, except those of codes that say what went wrong."""
    raw = text.encode("utf-8", "surrogatepass")
    zeroed = raw.translate(ZEROED)
    if zeroed == raw and "0" not in text:
        return text
    plain = zeroed.decode("utf-8", "surrogatepass")
    return _with_codes(text, plain) if _has_codes(plain) else plain


def _has_codes(plain: str) -> bool:
    if plain[0] == "0" or "(000)" in plain:
        return True
    low = plain.lower()
    return any(word in low for word in _CODED)


def _is_number(plain: str, stop: int) -> bool:
    after = plain[stop : stop + 2]
    return not after[:1].isalpha() and after != ".0"


@lru_cache(maxsize=64)
def candidates(plain: str) -> tuple[tuple[int, int, bool], ...]:
    """Where codes may stand in a text whose digits are 0, and whether only 4xx and 5xx are one.

    Start, end and that, in order. The last 64 texts are remembered: both users ask in turn.
    """
    found: dict[int, tuple[int, bool]] = {}
    if _LEADING.match(plain):  # `503 Service Unavailable`
        found[0] = (3, True)
    if "(000)" in plain:
        for match in _BRACKETED.finditer(plain):
            found[match.start() + 1] = (match.end() - 1, True)
    low = plain.replace("\u0130", "\u0131").lower()  # as long as before
    after = _AFTER_STATE.finditer(low) if "sqlstate[" in low else ()
    for match in chain(_CODE.finditer(low), after):
        start, stop = match.span(1)
        if stop - start <= _MAX_DIGITS and _is_number(plain, stop):
            found[start] = (stop, False)
    if "sqlstate" in low:
        for match in islice(_STATE.finditer(plain), MAX_STATES):
            for number in _NUMBER.finditer(plain, *match.span(1)):
                found[number.start()] = (number.end(), False)
    return tuple([(start, *found[start]) for start in sorted(found)])


def _with_codes(text: str, plain: str) -> str:
    parts: list[str] = []
    end = 0
    for start, stop, status in candidates(plain):
        if status and text[start] not in "45":
            continue
        parts += (plain[end:start], text[start:stop].translate(_CODE_DIGITS))
        end = stop
    return "".join((*parts, plain[end:])) if parts else plain


def _name(match: re.Match[str]) -> str:
    return _NAMES[match.lastgroup or "int"]


def _unit(match: re.Match[str]) -> str:
    return f"<{match.lastgroup}>"


def _who(match: re.Match[str]) -> str:
    return f"{match[match.lastindex or 0]}<who>"


@cache
def _value(*marks: bool) -> re.Pattern[str]:
    """The patterns that could fit a word in which those of _MARKS stand."""
    there = {mark for mark, stands in zip(_MARKS, marks, strict=True) if stands}
    return re.compile(
        "|".join(
            f"(?P<{name}>{pattern})"
            for name, pattern in _PATTERNS
            if all(there.intersection(group) for group in _NEEDS.get(name, ()))
        )
    )


def _word(word: str) -> str:
    fitting = _value(
        not _NO_DIGIT(word), ":" in word, "/" in word, "\\" in word, "@" in word,
        "." in word or "localhost" in word, "-" in word,
    )  # fmt: skip
    named, count = fitting.subn(_name, word)
    if count >= 2:
        whole = _COMPOUND.fullmatch(word)
        if whole is not None:
            named = f"{whole[1]}<id>{whole[2]}"
    if count and "=" not in named and named.count("/") + named.count("\\") >= 2:
        named = "<path>"
    if len(word) <= _MEMO_CHARS:
        if len(_words) >= _MEMO_ENTRIES:
            _words.clear()
        _words[word] = named
    return named


def parameterise(text: str) -> str:
    """Canonical `text` with its values named: `<ip>`, `<uuid>`, `<int>` and so on.

    Lists of equal names become one, runs of white space one space.
    """
    known = _words.get
    named = " ".join([known(word) or _word(word) for word in text.split()])
    if "<int>" in named or "<float>" in named or "<date>" in named:
        if "<time>" in named or _MONTHS.search(named):
            named = _DATE_WORDS.sub("<date>", named)
        named = _UNIT_WORDS.sub(_unit, named)
        named = _LISTED.sub(r"\1", named)
    if "ser" in named or "ccount" in named or "ogin" in named or " from <" in named:
        named = _WHO.sub(_who, named)
    return named if named.isascii() else named.translate(_CODE_BACK)


@lru_cache(maxsize=64)
def template(message: str) -> str:
    """The whole way: what people see of a group's message."""
    return parameterise(canonical(head(message)))
