"""Verify: whether errors really stopped. The executor says done, the stream says cured.

After the answer, `settle_ms` pass unjudged. Then the rate of the incident's patterns must be at
or below `cured_ratio` of what it was at the command (or rose to until it settled) for
`watch_ms` without a break. A rate above that, measured entirely after settling, is the outcome
`recurring`; so is a rate that is not low when `timeout_ms` have passed since the answer. It is
`worse` when it is more than `worse_ratio` times what it was before anything was done, and by more
than three standard deviations of a Poisson count.
"""

import math
from typing import Literal

from faultstream.core.incident import Case, Run
from faultstream.core.policy import Topology

Verdict = Literal["waiting", "cured", "recurring", "worse"]


def start(topology: Topology, run: Run, now_ms: int) -> None:
    """The executors are done: verification begins."""
    run.settled_ms = now_ms + topology.verify.settle_ms
    run.give_up_ms = now_ms + max(topology.verify.timeout_ms, topology.verify.settle_ms)
    run.low_since_ms = None


def bar(topology: Topology, run: Run) -> float:
    """The rate, in events a second, at or below which the fault counts as gone."""
    return topology.verify.cured_ratio * run.reference


def rise(topology: Topology, case: Case, run: Run, rate: float, now_ms: int) -> None:
    """Takes in how high the rate is before what was done can have shown.

    What it is without it is known once the window in which it is measured lies wholly after the
    incident opened; until then it is still growing to what it really is.
    """
    known_ms = case.incident.opened_at_ms + 2 * topology.detectors.rate_window_ms
    if case.phase == "recovering" or now_ms < known_ms:
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
        return "worse" if _worse(topology, run, rate) else "recurring"
    return "waiting"


def _worse(topology: Topology, run: Run, rate: float) -> bool:
    if run.base <= 0 or rate <= topology.verify.worse_ratio * run.base:
        return False
    window_s = topology.detectors.rate_window_ms / 1000
    before, now = run.base * window_s, rate * window_s
    return now - before >= 3 * math.sqrt(max(before, 1.0))
