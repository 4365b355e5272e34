"""Chart: errors over time with what was done, as SVG for pages and as text for terminals."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

import msgspec

from faultstream.core.report.facts import Bucket
from faultstream.core.report.text import clean, length, moment

WIDTH: Final = 760
LEFT: Final = 48
RIGHT: Final = 16
PLOT: Final = 160
TOP: Final = 44
FLOOR: Final = TOP + PLOT
NEAR: Final = 24
"""Marks that are nearer than this share a label."""
COLOURS: Final = ("#c0392b", "#e08e0b", "#2471a3", "#7d3c98", "#5d6d7e")
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"


class Mark(msgspec.Struct, frozen=True):
    """Something that happened at a moment."""

    at_ms: int
    text: str


def svg(
    buckets: Sequence[Bucket], bucket_ms: int, begin_ms: int, end_ms: int, marks: Sequence[Mark]
) -> str:
    """Stacked bars by service; numbered lines for the marks, explained below. At most
    len(COLOURS) services have a colour of their own, the rest share the last."""
    services = _services(buckets)
    height = FLOOR + 40 + 18 * (len(services) + len(marks)) + 8
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    title = f"errors in {length(bucket_ms)}, from {moment(begin_ms)}"
    x = _Scale(begin_ms, max(1, end_ms - begin_ms))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="14" fill="#333333">{title}</text>',
        *_bars(buckets, services, x, bucket_ms),
        *_lines(marks, x),
        *_legend(services, marks),
        "</svg>",
        "",
    ]
    return "\n".join(parts)


class _Scale:
    """Where a moment stands."""

    def __init__(self, begin_ms: int, span_ms: int) -> None:
        self.begin_ms = begin_ms
        self.span_ms = span_ms

    def __call__(self, at_ms: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (at_ms - self.begin_ms) / self.span_ms, 1)


def _bars(
    buckets: Sequence[Bucket], services: Sequence[str], x: _Scale, bucket_ms: int
) -> Iterator[str]:
    sums: Counter[int] = Counter()
    for one in buckets:
        sums[one.at_ms] += one.errors
    most = max(sums.values(), default=1)
    for value in (0, most):
        y = round(FLOOR - PLOT * value / most, 1)
        yield f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#d5d8dc"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{value}</text>'
    wide = max(1.0, round((WIDTH - LEFT - RIGHT) * bucket_ms / x.span_ms - 1, 1))
    below: Counter[int] = Counter()
    for one in sorted(buckets, key=lambda one: (one.at_ms, services.index(one.service))):
        below[one.at_ms] += one.errors
        y, tall = (round(PLOT * each / most, 1) for each in (below[one.at_ms], one.errors))
        fill = COLOURS[min(services.index(one.service), len(COLOURS) - 1)]
        place = f'x="{x(one.at_ms)}" y="{round(FLOOR - y, 1)}" width="{wide}" height="{tall}"'
        yield f'<rect {place} fill="{fill}"/>'
    for quarter in range(5):
        at_ms = x.begin_ms + x.span_ms * quarter // 4
        anchor = ("start", "middle", "middle", "middle", "end")[quarter]
        place = f'x="{x(at_ms)}" y="{FLOOR + 16}" text-anchor="{anchor}"'
        yield f"<text {place}>{length(at_ms - x.begin_ms)}</text>"


def _lines(marks: Sequence[Mark], x: _Scale) -> Iterator[str]:
    near: list[tuple[float, list[int]]] = []
    for number, mark in enumerate(marks, 1):
        at = x(mark.at_ms)
        yield f'<path d="M{at} {TOP - 4}V{FLOOR}" stroke="#1c2833" stroke-dasharray="3 3"/>'
        if near and at - near[-1][0] < NEAR:
            near[-1][1].append(number)
        else:
            near.append((at, [number]))
    for at, numbers in near:
        label = ", ".join(map(str, numbers))
        yield f'<text x="{at}" y="{TOP - 8}" text-anchor="middle">{label}</text>'


def _legend(services: Sequence[str], marks: Sequence[Mark]) -> Iterator[str]:
    y = FLOOR + 44
    for place, service in enumerate(services):
        fill = COLOURS[min(place, len(COLOURS) - 1)]
        yield f'<rect x="{LEFT}" y="{y - 10}" width="12" height="12" fill="{fill}"/>'
        yield f'<text x="{LEFT + 20}" y="{y}">{escape(clean(service, 100))}</text>'
        y += 18
    for number, mark in enumerate(marks, 1):
        yield f'<text x="{LEFT}" y="{y}">{number}: {escape(clean(mark.text, 100))}</text>'
        y += 18


def line(buckets: Sequence[Bucket], bucket_ms: int, begin_ms: int, end_ms: int) -> str:
    """The same as one line of blocks, a bucket each."""
    sums = [0] * max(1, -(-(end_ms - begin_ms) // bucket_ms))
    for one in buckets:
        place = (one.at_ms - begin_ms) // bucket_ms
        if 0 <= place < len(sums):
            sums[place] += one.errors
    return spark(sums)


def spark(values: Sequence[int]) -> str:
    """A line of blocks; a space is none at all."""
    most = max(1, *values)
    return "".join(_BLOCKS[-(-8 * each // most)] for each in values)


def _services(buckets: Sequence[Bucket]) -> list[str]:
    """By errors, the most first."""
    sums: dict[str, int] = {}
    for one in buckets:
        sums[one.service] = sums.get(one.service, 0) + one.errors
    return sorted(sums, key=lambda service: (-sums[service], service))
