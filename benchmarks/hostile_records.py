"""Hostile records for hostile.py: every field full of whatever is slow to look through.

A record is a value of the errors topic of about `size` bytes. Pieces are repeated to fill a field;
they are near-matches of the expressions that read it, texts that many of them fit, and characters
of every class.
"""

import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
from decode import EVENT  # type: ignore[import-not-found]  # beside this script

PIECES = (
    "a", "1", "a1", "/", "/a", ":", "::1", "<", "\n", " ", "a@", "http://", "x=", "user ", "f",
    "password=", "eyJ", "for a from ", "[:", "token:", "Bearer ", "://a:", "1 ", "AKIA", "é", "a.",
    "$$", "4111 ", "%s{}[]()", "0000 ", "4111 1111 1111 1111 ", "4111-1111-", "pwd:    ", "0-",
    "passwd='", "1:2 ", "1:1:", "a=1 ", "a b=", "0.0.0.0 ", "1-1-1 ", "x y ",
    "token=aaaaaaa ", "https://a:b@c ", "api_key: ", "1234567890123 ", "Basic a", "AKIA0123456789 ",
    "-----BEGIN PRIVATE KEY-----", "errno 1 ", "(404) ", "SQLSTATE[12345] ", "A_B ", "code = A",
    "java.lang.FooException: ", "not found ", "a_", "A", "aB", "1,", "1-1-", "日本", "😀", "0x",
    "\u0660", "x:y@", "--", "- ", "= ", "sk_live_", "sk-", "ghp_", "xox", "localhost ", "1.1.1.1 ",
    "\x00", "\u0130", "\u2028", "\u0301", "\u200b", "\\", '"', "'", "1a", "a-1_", "deadbeef ",
    "2026-11-22 ", "Jan 1 ", "5 ms ", "5ms ", "1e5 ", "C:\\a ", "fe80::", "a@b.co ", "a.b.com ",
    "key='a' ", "status: 500 ", "user=a ", "a,b;c|", "1;1;1;", "timeout connection refused ",
    "io.grpc.StatusRuntimeException: ", "A1b2C3d4E5f6G7h8 ", "a a1 ", "{", "(a", '="', "1_",
)  # fmt: skip
NAMES = (
    "a", "a.", "$", "aA", "a_", "A_", "::", "\\a", "/", "Timeout", "timeouterror", "<a>",
    "lambda$a$1", "$$Lambda", "(", "_0123456789abcdef", "@01234567", "func1.", "{closure",
    "block in ", "test_", "aTest_", "raise_", "[", "0", "é", "throwA", "[as ", "$1.", "<>c",
    ">d__1", "Test", "Tests.", "/gems", "$_closure1", "$fn__1", ".<locals>.", " in ", "fun$a$1",
    "access$000", "class@", "LambdaForm$", "GeneratedMethodAccessor1", "$Proxy1", "日本",
    "(anonymous", "comp>", "$ByteBuddy$", "+<>c", "/0x1234", "::h0123456789abcdef", "[...]",
    ".func1", "😀", "\x00", '"', "throwErrorFor", "checkNotNull", "getConnectionTimeout",
    "{closure:", "a1b2", ".gowrap1", "_$$_jvst",
    "Timeouterrortimeouterrortimeouterrortimeoutex", "Nosuchkeynosuchkeynosuchkeynosuchkeyzz",
)  # fmt: skip
Record = dict[str, Any]


class Hostile(NamedTuple):
    """A record: what is full of it, of which piece, and its bytes."""

    field: str
    piece: str
    value: bytes


def filled(piece: str, room: int) -> str:
    """`piece` again and again: as many whole ones as make `room` bytes of JSON, at least one."""
    return piece * max(1, room // (len(orjson.dumps(piece)) - 2))


def message(piece: str, room: int) -> Record:
    return {"message": filled(piece, room)}


def tags(piece: str, room: int) -> Record:
    each = filled(piece, room // 64 - 8)
    return {"tags": {f"k{n}": each for n in range(64)}}


def names_of_tags(piece: str, room: int) -> Record:
    return {"tags": {f"{filled(piece, 20)}{n}": "v" * 20 for n in range(room // 60)}}


def many_tags(piece: str, room: int) -> Record:
    return {"tags": {f"{piece}{n}": piece for n in range(room // (12 + 2 * len(piece)))}}


def causes(piece: str, room: int) -> Record:
    each = filled(piece, room // 50 - 50)
    return {"causes": [{"error_type": "Exception", "message": f"{each}{n}"} for n in range(50)]}


def four_causes(piece: str, room: int) -> Record:
    each = filled(piece, room // 4)
    return {"causes": [{"error_type": "Exception", "message": f"{n}{each}"} for n in range(4)]}


def types_of_causes(name: str, room: int) -> Record:
    each = filled(name, min(512, room // 50 - 20))
    return {"causes": [{"error_type": f"{each}{n}", "message": "x"} for n in range(50)]}


def frames(name: str, room: int) -> Record:
    part = filled(name, room // 190 // 3 - 20)
    names = [f"{part}{n}" for n in range(190)]
    return {"frames": [{"module": one, "function": one, "file": one} for one in names]}


def long_frames(name: str, room: int) -> Record:
    part = filled(name, 500)
    return {
        "frames": [{"module": f"{part}{n}", "function": f"{part}{n}"} for n in range(room // 1_040)]
    }


def many_frames(name: str, room: int) -> Record:
    return {"frames": [{"module": f"{name}{n}", "function": name} for n in range(room // 50)]}


def files_only(name: str, room: int) -> Record:
    part = filled(name, room // 190 - 30)
    return {"frames": [{"function": "f", "file": f"{part}{n}"} for n in range(190)]}


def types(name: str, room: int) -> Record:
    part = filled(name, min(500, room // 17))
    return {"error_type": part, "bases": [f"{part}{n}" for n in range(16)]}


TEXTS = (message, tags, names_of_tags, many_tags, causes, four_causes)
OF_NAMES = (types_of_causes, frames, long_frames, many_frames, files_only, types)


def written(record: Record) -> bytes:
    """An ordinary event with these fields, as JSON."""
    return orjson.dumps(orjson.loads(EVENT) | record)


def told(make: Any) -> str:
    """What a table calls the records that a function makes."""
    return str(make.__name__).replace("_", " ")


def by_field(size: int) -> Iterator[Hostile]:
    """Every piece in every field that may be long."""
    for makes, pieces in ((TEXTS, PIECES), (OF_NAMES, NAMES)):
        for make in makes:
            for piece in pieces:
                yield Hostile(told(make), piece, written(make(piece, size)))
                yield Hostile(told(make), f"no type, {piece}", written(
                    {"error_type": "Exception", "message": ""} | make(piece, size)
                ))  # fmt: skip


def of_json(size: int) -> Iterator[Hostile]:
    """Records that are hard to read, or are none."""
    head = EVENT[:-1]
    for name, part in (
        ("escapes", b"\\u0031"), ("lone surrogates", b"\\ud800"), ("pairs", b"\\ud83d\\ude00"),
        ("broken", b"\xff"), ("quotes", b'\\"'), ("spaces", b" "),
    ):  # fmt: skip
        for field in (b"message", b"other"):
            text = part * (size // len(part))
            yield Hostile("JSON", f"{name} in {field!r}", head + b',"%b":"%b"}' % (field, text))
    lone = b'"\\ud800"'
    for name, part, end in (
        ("deep lists", b"[", b"]"), ("deep objects", b'{"a":', b"}"),
    ):  # fmt: skip
        for depth in (100, 900, size // 6):
            value = part * depth + (b"1" if end == b"}" else b"") + end * depth
            yield Hostile("JSON", f"{name} {depth}", head + b',"other":%b}' % value)
            yield Hostile(
                "JSON", f"{name} {depth}, lone", head + b',"x":%b,"o":%b}' % (lone, value)
            )
    for name, part in (
        ("frames of nothing", b"{},"), ("numbers", b"1,"), ("long numbers", b"1" * 60 + b","),
        ("floats", b"1.5e-300,"), ("texts", b'"",'), ("nulls", b"null,"),
    ):  # fmt: skip
        for name_of in ("frames", "causes", "bases", "fingerprint", "other"):
            listed = b"[" + (part * (size // len(part)))[:-1] + b"]"
            for first in (b"", b',"x":' + lone):
                value = head + first + b',"%b":%b}' % (name_of.encode(), listed)
                yield Hostile("JSON", f"{name} in {name_of}{', lone' if first else ''}", value)
    for long, value in (
        ("count", b"1" * size), ("time", b"1" * size), ("time", b'"' + b"1" * size + b'"'),
        ("service", b'"' + b"a" * size + b'"'), ("severity", b'"' + b" " * size + b'"'),
        ("category", b'"' + b"-" * size + b'"'), ("tags", b'"' + b"-" * size + b'"'),
    ):  # fmt: skip
        yield Hostile("JSON", f"long {long}", head + b',"%b":%b}' % (long.encode(), value))
    same = b"".join(b',"a":"b"' for _ in range(size // 8))
    yield Hostile("JSON", "one name many times", head + same + b"}")
    many = b"".join(b',"a%d":"b"' % n for n in range(size // 14))
    yield Hostile("JSON", "many unknown fields", head + many + b"}")


class Mix(NamedTuple):
    """A record hostile in every field at once: piece and share of the size for each field."""

    parts: tuple[tuple[str, str, int], ...]

    def value(self, size: int) -> bytes:
        whole = sum(share for _, _, share in self.parts) or 1
        record: Record = {"error_type": "Exception"}
        for make, piece, share in self.parts:
            for field, content in MAKERS[make](piece, size * share // whole).items():
                if isinstance(content, list) and field in record:
                    record[field] = record[field] + content
                else:
                    record[field] = content
        return written(record)

    def told(self) -> str:
        return ", ".join(f"{make} {piece!r} {share}" for make, piece, share in self.parts)

    def changed(self, draw: random.Random) -> "Mix":
        """With another piece or share in one field."""
        parts = list(self.parts)
        at = draw.randrange(len(parts))
        make, piece, share = parts[at]
        if draw.random() < 0.5:
            share = max(1, min(40, share + draw.choice((-8, -4, -2, 2, 4, 8))))
        elif draw.random() < 0.7:
            piece = draw.choice(PIECES if MAKERS[make] in TEXTS else NAMES)
        else:
            piece += draw.choice(PIECES if MAKERS[make] in TEXTS else NAMES)
        parts[at] = (make, piece[:60], share)
        return Mix(tuple(parts))


MAKERS = {told(make): make for make in (*TEXTS, *OF_NAMES)}
