"""Verify: whether errors really stopped. The executor says done, the stream says cured.

After the answer, `settle_ms` pass unjudged. Then the rate of the incident's patterns must be at
or below `cured_ratio` of what it was at the command (or rose to until it settled) for
`watch_ms` without a break. A rate above that, measured entirely after settling, is the outcome
`recurring`; so is a rate that is not low when `timeout_ms` have passed since the answer.
"""

from typing import Literal

from faultstream.core.incident import Try
from faultstream.core.policy import Topology

Verdict = Literal["waiting", "cured", "recurring"]


def start(topology: Topology, attempt: Try, now_ms: int) -> None:
    """The executor has answered: verification begins."""
    attempt.settled_ms = now_ms + topology.verify.settle_ms
    attempt.give_up_ms = now_ms + max(topology.verify.timeout_ms, topology.verify.settle_ms)
    attempt.low_since_ms = None


def bar(topology: Topology, attempt: Try) -> float:
    """The rate, in events a second, at or below which the fault counts as gone."""
    return topology.verify.cured_ratio * attempt.reference


def judge(topology: Topology, attempt: Try, rate: float, now_ms: int, *, news: bool) -> Verdict:
    """The verdict at `now_ms`, when the highest rate of the incident's patterns is `rate`.

    `news`: the rate was just told, not remembered. Always ends: at `give_up_ms` the rate is
    either high (recurring) or low and then cured or high within `watch_ms`.
    """
    if now_ms < attempt.settled_ms:
        attempt.reference = max(attempt.reference, rate)
        return "waiting"
    if rate <= bar(topology, attempt):
        if attempt.low_since_ms is None:
            attempt.low_since_ms = now_ms
        if now_ms - attempt.low_since_ms >= topology.verify.watch_ms:
            return "cured"
        return "waiting"
    attempt.low_since_ms = None
    measured = now_ms >= attempt.settled_ms + topology.detectors.rate_window_ms
    if (news and measured) or now_ms >= attempt.give_up_ms:
        return "recurring"
    return "waiting"
