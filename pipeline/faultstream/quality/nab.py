"""NAB: what detections in a series are worth (Lavin and Ahmad, ICMLA 2015), standard profile.

A detection inside a labelled window counts once, the earlier the more; one outside costs, the less
the sooner it comes after a window. The first 15 % of a series (750 rows at most) are not scored.
The score of many series is 100 for perfect detection and 0 for none at all.
"""

from collections.abc import Mapping, Sequence
from math import exp, floor
from typing import Final

import msgspec

_FALSE: Final = 0.11
_PROBATION: Final = 0.15
_PROBATION_ROWS: Final = 5_000

Series = tuple[Sequence[str], Sequence[bool]]
"""The times of the rows as the labels have them, and whether each is a detection."""


class Score(msgspec.Struct):
    """What one series adds: raw points, windows that count, those hit, detections."""

    raw: float
    windows: int
    hit: int
    said: int


def score(series: Series, windows: Sequence[Sequence[str]]) -> Score:
    """The raw score of one series; windows are (first, last) times."""
    times, detections = series
    places: dict[str, int] = {}
    for index, time in enumerate(times):
        places.setdefault(_plain(time), index)
    spans = [(places[_plain(first)], places[_plain(last)]) for first, last in windows]
    begin = min(floor(_PROBATION * len(times)), int(_PROBATION * _PROBATION_ROWS))
    best: dict[int, float] = {}
    wrong = 0.0
    said = 0
    for row in range(begin, len(times)):
        if not detections[row]:
            continue
        said += 1
        inside = next((n for n, (a, b) in enumerate(spans) if a <= row <= b), None)
        if inside is None:
            wrong += _outside(row, spans)
            continue
        first, last = spans[inside]
        value = _sigmoid(-(last - row + 1) / (last - first + 1)) / _sigmoid(-1.0)
        best[inside] = max(best.get(inside, -1.0), value)
    live = [n for n, (_, last) in enumerate(spans) if last >= begin]
    raw = wrong + sum(best.get(n, -1.0) for n in live)
    return Score(raw, len(live), len(best), said)


def _outside(row: int, spans: Sequence[tuple[int, int]]) -> float:
    before = [(first, last) for first, last in spans if last < row]
    if not before:
        return -_FALSE
    first, last = before[-1]
    return _sigmoid((row - last) / (last - first)) * _FALSE


def _sigmoid(place: float) -> float:
    return -1.0 if place > 3 else 2 / (1 + exp(5 * place)) - 1


def _plain(time: str) -> str:
    return time.partition(".")[0].replace("T", " ")


def corpus(scores: Mapping[str, Score], windows: Mapping[str, Sequence[object]]) -> float | None:
    """The score of many series, each by name with its windows; None when no window counts."""
    worst = -float(sum(one.windows for one in scores.values()))
    perfect = float(sum(len(windows[name]) for name in scores))
    if perfect == worst:
        return None
    raw = sum(one.raw for one in scores.values())
    return 100 * (raw - worst) / (perfect - worst)
