"""What the worst records cost on the hot path: decode, scrub, classify, fingerprint, template.

    python benchmarks/hostile.py [--size 65536] [--rounds 200] [--seed 1]

Every record is about `--size` bytes of JSON and unknown to all memos. Two tables: by the field that
is full of it, and records hostile in every field at once, found by a search that begins with the
worst of every field and changes pieces and shares for `--rounds` rounds. Each line is CPU as a
multiple of `orjson.loads` of an ordinary event, and how that grows from a quarter of the size on.
At 1.5 microseconds for the ordinary event, 3,333 is 5 ms. Growth of about 4 is linear; less where
limits cut. Trust the ratios when nothing else runs.
"""

import argparse
import gc
import random
import time
from collections.abc import Callable
from typing import Any

import orjson
from decode import EVENT  # type: ignore[import-not-found]  # beside this script
from hostile_records import (  # type: ignore[import-not-found]
    MAKERS,
    NAMES,
    PIECES,
    TEXTS,
    Hostile,
    Mix,
    by_field,
    of_json,
    written,
)

from faultstream.config.topology import load
from faultstream.core import frames, scrub, template
from faultstream.core.classify import knowledge
from faultstream.core.errors import DataError
from faultstream.core.grouping import Grouper
from faultstream.core.policy import Topology
from faultstream.formats.shapes import Shapes

SHARES = {"message": 12, "frames": 24, "four causes": 8, "tags": 8, "types": 8}
"""Of a record hostile in every field: with what shares the search begins."""


def cold(topology: Topology, value: bytes) -> Callable[[], object]:
    """A call that takes a record the whole way, with nothing remembered."""
    shapes = Shapes(Grouper(topology))
    scrub.KNOWN_CLEAN.clear()
    memos: tuple[dict[Any, Any], ...] = (scrub.KNOWN_KEYS, frames.MEMO, *template.MEMOS)
    for memo in memos:
        memo.clear()
    template.candidates.cache_clear()
    knowledge.load().reader.read.cache_clear()
    knowledge.load().texts.within.cache_clear()

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


class Scale:
    """Costs in ordinary events: both are measured in turns, because machines change their pace."""

    def __init__(self) -> None:
        self._topology = load(None)
        self.base_us = min(self._base() for _ in range(20))

    def _base(self) -> float:
        return cpu_us(lambda: orjson.loads(EVENT), 2_000)

    def ratio(self, value: bytes, times: int = 3) -> float:
        """The least of `times`."""
        costs, bases = [], []
        for _ in range(times):
            bases.append(self._base())
            costs.append(cpu_us(cold(self._topology, value)))
        return min(costs) / min(bases)


def worst_by_field(scale: Scale, size: int) -> dict[str, tuple[float, Hostile]]:
    """The slowest record of each field: the first look picks five, five more decide."""
    seen: dict[str, list[tuple[float, Hostile]]] = {}
    for hostile in (*by_field(size), *of_json(size)):
        seen.setdefault(hostile.field, []).append((scale.ratio(hostile.value, 1), hostile))
    worst = {}
    for field, found in seen.items():
        found.sort(key=lambda one: -one[0])
        again = [(scale.ratio(hostile.value, 5), hostile) for _, hostile in found[:5]]
        worst[field] = max(again, key=lambda one: one[0])
    return worst


def search(
    scale: Scale, size: int, first: Mix, draw: random.Random, rounds: int
) -> tuple[float, Mix]:
    """The slowest mix that was found: better ones are kept, and measured again to be sure."""
    best, least = first, scale.ratio(first.value(size), 5)
    for _ in range(rounds):
        other = best.changed(draw)
        value = other.value(size)
        if scale.ratio(value, 1) > least and (sure := scale.ratio(value, 5)) > least:
            best, least = other, sure
    return scale.ratio(best.value(size), 9), best


def quarter(scale: Scale, hostile: Hostile, size: int) -> float:
    """What the like of a record costs at a quarter of the size."""
    if hostile.field == "JSON":
        value = next(one.value for one in of_json(size // 4) if one.piece == hostile.piece)
    else:
        plain = hostile.piece.removeprefix("no type, ")
        record = MAKERS[hostile.field](plain, size // 4)
        bare = {"error_type": "Exception", "message": ""}
        value = written((bare if plain != hostile.piece else {}) | record)
    return scale.ratio(value, 5)


def random_mix(draw: random.Random) -> Mix:
    """Any piece in any field, with any share."""
    makes = draw.sample(sorted(MAKERS), 5)
    return Mix(tuple(
        (make, draw.choice(PIECES if MAKERS[make] in TEXTS else NAMES), draw.randint(1, 24))
        for make in makes
    ))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=65_536)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    size, draw = options.size, random.Random(options.seed)
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # as workers do
    scale = Scale()
    worst = worst_by_field(scale, size)
    print(f"orjson.loads of an ordinary event: {scale.base_us:.2f} us; {size} bytes, at worst:")
    print(f"{'full of it':16}{'ratio':>8}{'growth':>8}  piece")
    for field, (ratio, hostile) in sorted(worst.items(), key=lambda one: -one[1][0]):
        growth = ratio / quarter(scale, hostile, size)
        print(f"{field:16}{ratio:8.0f}{growth:8.1f}  {hostile.piece!r}")
    pieces = {
        field: hostile.piece.removeprefix("no type, ") for field, (_, hostile) in worst.items()
    }
    mixes = [Mix(tuple((make, pieces[make], share) for make, share in SHARES.items()))]
    mixes += [random_mix(draw) for _ in range(3)]
    print(f"{'all at once':16}{'ratio':>8}{'growth':>8}  fields, pieces, shares")
    for first in mixes:
        ratio, mix = search(scale, size, first, draw, options.rounds)
        growth = ratio / scale.ratio(mix.value(size // 4), 5)
        print(f"{'':16}{ratio:8.0f}{growth:8.1f}  {mix.told()}")


if __name__ == "__main__":
    main()
