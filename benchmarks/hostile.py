"""What the worst records cost on the hot path: decode, scrub, classify, fingerprint, template.

    python benchmarks/hostile.py [--size 65536] [--mixes 20]

Every record is `--size` bytes or a little more, and unknown to all memos. A table by the field that
is full of it: the slowest record, CPU as a multiple of `orjson.loads` of an ordinary event, and how
that grows from a quarter of the size on. At 1.5 microseconds for the ordinary event, 3,333 is 5 ms.
Growth of about 4 is linear; less where limits cut. Trust the ratios when nothing else runs.
"""

import argparse
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
from decode import EVENT  # type: ignore[import-not-found]  # beside this script

from faultstream.config.topology import load
from faultstream.core import frames, scrub, template
from faultstream.core.errors import DataError
from faultstream.core.grouping import Grouper
from faultstream.core.policy import Topology
from faultstream.formats.shapes import Shapes

PIECES = (
    "a", "1", "a1", "/", "/a", ":", "::1", "<", "\n", " ", "a@", "http://", "x=", "user ", "f",
    "password=", "eyJ", "for a from ", "[:", "token:", "Bearer ", "://a:", "1 ", "AKIA", "é", "a.",
    "$$", "4111 ", "%s{}[]()", "0000 ", "4111 1111 1111 1111 ", "4111-1111-", "pwd:    ", "0-",
    "passwd='",
    "token=aaaaaaa ", "https://a:b@c ", "api_key: ", "1234567890123 ", "Basic a", "AKIA0123456789 ",
    "-----BEGIN PRIVATE KEY-----", "errno 1 ", "(404) ", "SQLSTATE[12345] ", "A_B ", "code = A",
    "java.lang.FooException: ", "not found ", "a_", "A", "aB", "1,", "1:1:", "1-1-", "日本", "😀",
    "\u0660", "x:y@", "--", "- ", "= ", "sk_live_", "sk-", "ghp_", "xox", "localhost ", "1.1.1.1 ",
)  # fmt: skip
NAMES = (
    "a", "a.", "$", "aA", "a_", "A_", "::", "\\a", "/", "Timeout", "timeouterror", "<a>",
    "lambda$a$1",
    "$$Lambda", "(", "_0123456789abcdef", "@01234567", "func1.", "{closure", "block in ", "test_",
    "aTest_", "raise_", "[", "0", "é", "throwA", "[as ",
)  # fmt: skip
Record = dict[str, Any]


def filled(piece: str, length: int) -> str:
    return (piece * (length // len(piece) + 1))[:length]


def by_field(size: int) -> Iterator[tuple[str, str, Record]]:
    """Field, piece and record, for every field that may be long."""
    for piece in PIECES:
        yield "message", piece, {"message": filled(piece, size)}
        each = filled(piece, size // 64)
        yield "tags", piece, {"tags": {f"k{n}": each for n in range(64)}}
        many = size // 60
        yield "names of tags", piece, {"tags": {f"{each[:20]}{n}": "v" * 20 for n in range(many)}}
        each = filled(piece, size // 55)
        causes = [{"error_type": "Exception", "message": f"{each}{n}"} for n in range(50)]
        yield "causes", piece, {"error_type": "Exception", "causes": causes}
    for name in NAMES:
        part = filled(name, size // 190 // 4)
        stack = [
            {"module": f"{part}{n}", "function": f"{part}{n}", "file": f"{part}{n}"}
            for n in range(190)
        ]
        yield "frames", name, {"frames": stack}
        part = filled(name, 500)
        stack = [{"module": f"{part}{n}", "function": f"{part}{n}"} for n in range(size // 1_040)]
        yield "long frames", name, {"frames": stack}
        stack = [{"module": f"{name}{n}", "function": name} for n in range(size // 50)]
        yield "many frames", name, {"frames": stack}
        bases = [f"{part}{n}" for n in range(16)]
        yield "types", name, {"error_type": filled(name, 512), "bases": bases, "message": "x"}


def mixed(size: int, count: int) -> Iterator[tuple[str, str, Record]]:
    """Messages, and whole records, of some pieces drawn at random, always the same."""
    for seed in range(count):
        draw = random.Random(seed)
        pieces, names = draw.sample(PIECES, 3), draw.sample(NAMES, 2)
        text = "".join(draw.choice(pieces) for _ in range(size // 2))
        told = " ".join(pieces)
        yield "message, mixed", told, {"message": text[:size]}
        part = size // 4
        stack = [
            {"module": f"{filled(names[0], 40)}{n}", "function": f"{filled(names[1], 40)}{n}"}
            for n in range(part // 110)
        ]
        causes = [
            {"error_type": filled(names[0], 60) + str(n), "message": text[n : n + part // 50 - 90]}
            for n in range(50)
        ]
        tags = {f"k{n}": text[n * 9 : n * 9 + part // 66] for n in range(64)}
        record = {"message": text[:part], "frames": stack, "causes": causes, "tags": tags}
        yield "all at once", f"{told} {' '.join(names)}", {"error_type": "Exception"} | record


def cold(topology: Topology, value: bytes) -> Callable[[], object]:
    """A call that takes a record the whole way, with nothing remembered."""
    shapes = Shapes(Grouper(topology))
    scrub.KNOWN_CLEAN.clear()
    memos: tuple[dict[Any, Any], ...] = (scrub.KNOWN_KEYS, frames.MEMO, *template.MEMOS)
    for memo in memos:
        memo.clear()

    def step() -> object:
        try:
            return shapes.look(value, 0)
        except DataError as exc:
            return exc

    return step


def cpu_us(step: Callable[[], object], times: int = 1) -> float:
    start = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - start) / times * 1e6


def cost(topology: Topology, record: Record) -> float:
    """CPU of one record, in microseconds: the least of four."""
    value = orjson.dumps(orjson.loads(EVENT) | record)
    return min(cpu_us(cold(topology, value)) for _ in range(4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=65_536)
    parser.add_argument("--mixes", type=int, default=20)
    options = parser.parse_args()
    topology = load(None)
    base = min(cpu_us(lambda: orjson.loads(EVENT), 20_000) for _ in range(5))
    slowest: dict[str, tuple[float, float, str]] = {}
    for size in (options.size // 4, options.size):
        for field, piece, record in (*by_field(size), *mixed(size, options.mixes)):
            ratio = cost(topology, record) / base
            if size < options.size:
                slowest.setdefault(f"{field} {piece}", (ratio, 0.0, ""))
            else:
                growth = ratio / slowest.pop(f"{field} {piece}")[0]
                slowest[field] = max(slowest.get(field, (0.0, 0.0, "")), (ratio, growth, piece))
    print(f"orjson.loads of an ordinary event: {base:.2f} us; {options.size} bytes, at worst:")
    print(f"{'full of it':16}{'ratio':>8}{'growth':>8}  piece")
    for field, (ratio, growth, piece) in sorted(slowest.items(), key=lambda one: -one[1][0]):
        print(f"{field:16}{ratio:8.0f}{growth:8.1f}  {piece!r}")


if __name__ == "__main__":
    main()
