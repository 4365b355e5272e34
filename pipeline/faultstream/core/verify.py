"""Verify: whether errors really stopped. The executor says done, the stream says cured.

After the answer, `settle_ms` pass unjudged. Then the rate of the incident's patterns must be at
or below `cured_ratio` of what it was at the command (or rose to until it settled) for
`watch_ms` without a break. A rate above that, measured entirely after settling, is the outcome
`recurring`; so is a rate that is not low when `timeout_ms` have passed since the answer. It is
`worse` when it is more than `worse_ratio` times what it was before anything was done, and by more
than three standard deviations of a Poisson count; or, while that rate is not known, by three
standard deviations more than the intervals between the first errors say.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

from faultstream.core.incident import Case, Run
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern

Verdict = Literal["waiting", "cured", "recurring", "worse"]

_SURE: Final = 3.0
"""Standard deviations by which a rate is more than by chance."""
_LIKELY: Final = 1.0


def start(topology: Topology, run: Run, now_ms: int) -> None:
    """The executors are done: verification begins."""
    run.settled_ms = now_ms + topology.verify.settle_ms
    run.give_up_ms = now_ms + max(topology.verify.timeout_ms, topology.verify.settle_ms)
    run.low_since_ms = None


def begun(topology: Topology, case: Case, run: Run, patterns: Sequence[Pattern]) -> None:
    """What is known of the rate before executors were done, when the incident is so young that the
    window in which rates are measured is not full.

    A pattern opens with an event, so of its n events the first n - 1 intervals are the measure.
    """
    if patterns and run.settled_ms < known_ms(topology, case) + topology.verify.settle_ms:
        most = max(patterns, key=lambda one: (one.rate, one.pattern_id))
        span_ms = most.last_at_ms - most.first_at_ms
        if span_ms > 0:
            run.early = (most.count - 1, (most.count - 1) * 1_000 / span_ms)


def rose(topology: Topology, run: Run, rate: float) -> bool:
    """Whether the errors are probably more than the first ones, by a standard deviation. Too little
    to say that they were made worse, enough to take back what did not help."""
    return _grown(topology, run, rate) >= _LIKELY


def before(topology: Topology, run: Run, rate: float) -> float:
    """How many errors a second there were before the command, where `rate` is so much more that it
    made them worse; 0 where that cannot be said."""
    if _worse(topology, run, rate):
        return run.base
    sure = not run.preventive and _grown(topology, run, rate) >= _SURE
    return run.early[1] if sure else 0.0


def _grown(topology: Topology, run: Run, rate: float) -> float:
    """By how many standard deviations `rate` is more than the first errors of a young incident
    say; those of the logarithm of a ratio of two counts."""
    count, first = run.early
    window_s = topology.detectors.rate_window_ms / 1000
    if count <= 0 or first <= 0 or rate <= first:
        return 0.0
    return math.log(rate / first) / math.sqrt(1 / count + 1 / (rate * window_s))


def known_ms(topology: Topology, case: Case) -> int:
    """From when on the rate of an incident is what it really is."""
    return case.incident.opened_at_ms + 2 * topology.detectors.rate_window_ms


def bar(topology: Topology, run: Run) -> float:
    """The rate, in events a second, at or below which the fault counts as gone."""
    return topology.verify.cured_ratio * run.reference


def rise(topology: Topology, case: Case, run: Run, rate: float, now_ms: int) -> None:
    """Takes in how high the rate is before what was done can have shown.

    What it is without it is known once the window in which it is measured lies wholly after the
    incident opened; until then it is still growing to what it really is.
    """
    if case.phase == "recovering" or now_ms < known_ms(topology, case):
        run.base = max(run.base, rate)
    if now_ms < run.settled_ms or case.phase == "recovering":
        run.reference = max(run.reference, rate)


def judge(
    topology: Topology, case: Case, run: Run, rate: float, now_ms: int, *, news: bool
) -> Verdict:
    """The verdict at `now_ms`, when the highest rate of the incident's patterns is `rate`.

    `news`: the rate was just told, not remembered. Always ends: at `give_up_ms` the rate is
    either high (recurring) or low and then cured or high within `watch_ms`.
    """
    rise(topology, case, run, rate, now_ms)
    if now_ms < run.settled_ms:
        return "waiting"
    if rate <= bar(topology, run):
        if run.low_since_ms is None:
            run.low_since_ms = now_ms
        if now_ms - run.low_since_ms >= topology.verify.watch_ms:
            return "cured"
        return "waiting"
    run.low_since_ms = None
    measured = now_ms >= run.settled_ms + topology.detectors.rate_window_ms
    if (news and measured) or now_ms >= run.give_up_ms:
        return "worse" if before(topology, run, rate) > 0 else "recurring"
    return "waiting"


def _worse(topology: Topology, run: Run, rate: float) -> bool:
    if run.base <= 0 or rate <= topology.verify.worse_ratio * run.base:
        return False
    window_s = topology.detectors.rate_window_ms / 1000
    counted, now = run.base * window_s, rate * window_s
    return now - counted >= _SURE * math.sqrt(max(counted, 1.0))
