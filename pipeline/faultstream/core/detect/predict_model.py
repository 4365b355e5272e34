"""Model: the features of an outlook, and the probability that a limit is crossed soon.

A logistic model of a few features that mean the same for every service: how far the service is
from its limit, whether it grows, whether one fingerprint rises and when it would get there at its
present growth, and how long ago the last crossing was. The weights were fitted to simulated fleets
(benchmarks/quality/prediction.py --fit); each service then calibrates them by its own outcomes.
"""

from math import exp, log, sqrt
from typing import Final

from faultstream.core.detect.predict_state import WIDTH, Course, Outlook

NAMES: Final = (
    "bias", "near", "growth", "distance", "rise", "reach", "surely", "fresh", "after",
    "lately", "often", "busy", "reach*surely", "surely*fresh", "after*often",
)  # fmt: skip
WEIGHTS: Final[tuple[float, ...]] = (-3.7,) + (0.0,) * 14


def features(outlook: Outlook, limit: float) -> tuple[tuple[float, ...], str, float]:
    """(the values of NAMES, the fingerprint that rises most, steps until it reaches the limit).

    `limit` is in events a step. The steps are `inf` where nothing rises.
    """
    course = outlook.course
    near = log((course.last(3) / 3 + 0.2) / limit)
    late, early = course.last(WIDTH // 2), course.last(WIDTH) - course.last(WIDTH // 2)
    growth = (late - early) / sqrt(late + early + 2)
    lead, best = "", (0.0, 0.0, 0.0, 0.0)
    for key, one in outlook.rises.items():
        found = _rise(one)
        if (found, key) > (best, lead) and found[0]:
            lead, best = key, found
    surely, excess, rise, fresh = best
    room = max(1.0, limit - (course.slow or course.last(WIDTH) / WIDTH))
    distance = max(-5.0, log((excess + 0.02) / room))
    reach = max(-5.0, min(3.0, distance + rise * 15))
    age = outlook.step - outlook.busy_at
    after, lately = exp(-age / 8) if age < 200 else 0.0, exp(-age / 40) if age < 999 else 0.0
    often = min(6.0, outlook.recent())
    values = (
        1.0, near, growth, distance, rise, reach, surely, fresh, after, lately, often,
        log(course.slow + 0.05), reach * surely, surely * fresh, after * often,
    )  # fmt: skip
    steps = -distance / rise if rise > 0.01 and distance < 0 else float("inf")
    return values, lead, 1.0 if distance >= 0 and lead else steps


def _rise(course: Course) -> tuple[float, float, float, float]:
    """(how sure it rises, events a step above usual, its growth a step, how new it is)."""
    total = course.last(WIDTH)
    if total < 3:
        return 0.0, 0.0, 0.0, 0.0
    usual = course.slow
    surely = min(8.0, (total - WIDTH * usual) / sqrt(WIDTH * usual + 1))
    if surely <= 0:
        return 0.0, 0.0, 0.0, 0.0
    excess = max(0.0, course.last(3) / 3 - usual)
    third = WIDTH // 3
    new, middle = course.last(third), course.last(2 * third) - course.last(third)
    old = total - new - middle
    rise = (log((new + 1) / (middle + 1)) + log((middle + 1) / (old + 1))) / (2 * third)
    return surely, excess, max(-0.2, min(0.4, rise)), 1 / (1 + 10 * usual)


def probability(values: tuple[float, ...]) -> float:
    """What the weights say, before a service's own calibration."""
    score = sum(weight * value for weight, value in zip(WEIGHTS, values, strict=True))
    return 1 / (1 + exp(-max(-30.0, min(30.0, score))))
