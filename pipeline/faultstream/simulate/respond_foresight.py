"""Foresight: the predictions of a recovery simulation, of faults that come and of some that do not.

What share of faults is foreseen, and how long before, stands in the scenario; of all predictions
`true_ratio` come true.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from faultstream.core.group import Group
from faultstream.core.ids import derive
from faultstream.core.records import Pattern
from faultstream.simulate.chance import stream
from faultstream.simulate.respond_faults import Fault
from faultstream.simulate.respond_scenario import RecoveryScenario

HORIZON_MS: Final = 1_800_000
_NOTICED_MS: Final = 10_000
"""A prediction lasts until its fault was noticed."""


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """Told at `told_ms`, over at `ends_ms`: when its fault has come, or its time has run out.
    `fault`: its number, None for one that does not come."""

    told_ms: int
    ends_ms: int
    service: str
    error: str
    confidence: float
    fault: int | None = None


def foresee(scenario: RecoveryScenario, faults: list[Fault], seed: int) -> list[Prediction]:
    """All predictions in the order in which they are told."""
    found: list[Prediction] = []
    foresight = scenario.foresight
    for fault in faults:
        chance = stream(seed, "foresight", str(fault.number))
        if chance.random() >= scenario.kinds[fault.kind].foreseen:
            continue
        lead_ms = round(chance.uniform(*foresight.lead_minutes) * 60_000)
        found.append(
            Prediction(
                told_ms=fault.begins_ms - lead_ms,
                ends_ms=fault.begins_ms + _NOTICED_MS,
                service=fault.service,
                error=fault.error,
                confidence=foresight.true_ratio,
                fault=fault.number,
            )
        )
        if chance.random() < (1 - foresight.true_ratio) / foresight.true_ratio:
            told_ms = fault.begins_ms + round(chance.uniform(0.5, 1.5) * HORIZON_MS)
            found.append(
                Prediction(
                    told_ms=told_ms,
                    ends_ms=told_ms + HORIZON_MS,
                    service=fault.service,
                    error=fault.error,
                    confidence=foresight.true_ratio,
                )
            )
    return sorted(found, key=lambda one: (one.told_ms, one.service, one.error))


def patterns(one: Prediction, group: Group, layer: str, at_ms: int) -> Iterator[Pattern]:
    """What detection tells of it at `at_ms`: that it opens, or closes."""
    if at_ms not in {one.told_ms, one.ends_ms}:
        return
    over = at_ms == one.ends_ms
    yield Pattern(
        pattern_id=derive("simulated-prediction", one.service, one.error, one.told_ms),
        revision=2 if over else 1,
        kind="predicted",
        state="closed" if over else "open",
        environment="production",
        service=one.service,
        layer=layer,
        error_type=group.error_type,
        category=group.verdict.category,
        severity=group.verdict.severity,
        transient=group.verdict.transient,
        first_at_ms=one.told_ms,
        last_at_ms=one.told_ms,
        detected_at_ms=one.told_ms,
        closed_at_ms=at_ms if over else None,
        due_at_ms=one.told_ms + HORIZON_MS,
        confidence=one.confidence,
        came_true=one.fault is not None if over else None,
        reason=f"{one.confidence:.0%} likely to cross a limit within 30 min",
    )
