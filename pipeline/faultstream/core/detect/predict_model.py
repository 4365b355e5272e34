"""Model: the features of an outlook, and the probability that a limit is crossed soon.

A logistic model of a few features that mean the same for every service: how far the service is
from its limit, whether it grows, whether one fingerprint rises and when it would get there at its
present growth, and how long ago the last crossing was. The weights were fitted to simulated fleets
(zoo, seeds 1 to 4, steps of a minute, 30 minutes ahead), maximum likelihood with a ridge of 5; each
service then calibrates them by its own outcomes. benchmarks/quality/fit_prediction.py fits them
anew; take them only if what is above 0.8 still comes true on seeds that were not used.
"""

from math import exp, log, sqrt
from typing import Final

from faultstream.core.detect.predict_state import WIDTH, Course, Outlook

NAMES: Final = (
    "bias", "near", "growth", "distance", "rise", "reach", "surely", "fresh", "after",
    "lately", "often", "busy", "reach*surely", "surely*fresh", "after*often",
    "climb", "climb*many", "climb>4", "many", "steady", "steady*many", "steady*surely",
    "close", "filled", "filled*climb", "filled*steady", "filled*close", "filled*reach", "peak",
)  # fmt: skip
WEIGHTS: Final = (
    -3.2782, -0.0292, 0.0301, 0.3849, -1.7829, -0.3062, 0.1363, -0.1676, 5.8812, -5.2776,
    0.4416, 0.0772, 0.0605, 0.2465, -0.543, 0.4662, -0.0275, -0.4812, -0.2045, -0.0924, -0.4893,
    0.172, 0.2891, -0.4161, -0.2942, 2.0653, 0.8111, -0.297, 0.3416,
)  # fmt: skip


_NOTHING: Final[tuple[float, ...]] = (0.0,) * 9


def features(outlook: Outlook, limit: float) -> tuple[tuple[float, ...], str, float]:
    """(the values of NAMES, the fingerprint that rises most, steps until it reaches the limit).

    `limit` is in events a step. The steps are `inf` where nothing rises.
    """
    course = outlook.course
    near = log((course.last(3) / 3 + 0.2) / limit)
    late, early = course.last(WIDTH // 2), course.last(WIDTH) - course.last(WIDTH // 2)
    growth = (late - early) / sqrt(late + early + 2)
    lead, best = "", _NOTHING
    for key, one in outlook.rises.items():
        found = _rise(one)
        if (found, key) > (best, lead) and found[0]:
            lead, best = key, found
    surely, excess, rise, fresh, climb, many, steady, filled, peak = best
    room = max(1.0, limit - (course.slow or course.last(WIDTH) / WIDTH))
    distance = max(-5.0, log((excess + 0.02) / room))
    close = max(0.0, distance + 2.5)
    reach = max(-5.0, min(3.0, distance + rise * 15))
    age = outlook.step - outlook.busy_at
    after, lately = exp(-age / 8) if age < 200 else 0.0, exp(-age / 40) if age < 999 else 0.0
    often = min(6.0, outlook.recent())
    values = (
        1.0, near, growth, distance, rise, reach, surely, fresh, after, lately, often,
        log(course.slow + 0.05), reach * surely, surely * fresh, after * often,
        climb, climb * many, max(0.0, climb - 4), many, steady, steady * many, steady * surely,
        close, filled, filled * climb, filled * steady, filled * close, filled * reach, peak,
    )  # fmt: skip
    steps = -distance / rise if rise > 0.01 and distance < 0 else float("inf")
    return values, lead, 1.0 if distance >= 0 and lead else steps


def _rise(course: Course) -> tuple[float, ...]:
    """(how sure it is above usual, events a step above it, growth a step, how new it is, how sure
    it grows, how many of late as a logarithm, how sure it grew before and goes on to grow, in
    which share of the steps it came, the share of all events that came in one step)."""
    total = course.last(WIDTH)
    if total < 3:
        return _NOTHING
    usual = course.slow
    surely = min(8.0, (total - WIDTH * usual) / sqrt(WIDTH * usual + 1))
    if surely <= 0:
        return _NOTHING
    excess = max(0.0, course.last(3) / 3 - usual)
    third = WIDTH // 3
    new, middle = course.last(third), course.last(2 * third) - course.last(third)
    old = total - new - middle
    rise = (log((new + 1) / (middle + 1)) + log((middle + 1) / (old + 1))) / (2 * third)
    climb = max(-2.0, (new - old) / sqrt(new + old + 1))
    fresh = 1 / (1 + 10 * usual)
    first, then = (middle - old) / sqrt(middle + old + 1), (new - middle) / sqrt(new + middle + 1)
    steady = max(0.0, min(first, then, 3.0))
    filled = sum(1 for count in course.counts if count) / WIDTH
    rise = max(-0.2, min(0.4, rise))
    peak = max(course.counts) / total
    return surely, excess, rise, fresh, climb, log(1 + new), steady, filled, peak


def probability(values: tuple[float, ...]) -> float:
    """What the weights say, before a service's own calibration."""
    score = sum(weight * value for weight, value in zip(WEIGHTS, values, strict=True))
    return 1 / (1 + exp(-max(-30.0, min(30.0, score))))
