"""Faults of a recovery simulation: when and where they begin, what ends them, what they show."""

import msgspec

from faultstream.core.event import ErrorEvent, Frame
from faultstream.core.ids import derive
from faultstream.simulate.catalogue import ERRORS
from faultstream.simulate.chance import stream
from faultstream.simulate.respond_scenario import RecoveryScenario

START_MS = 1_767_225_600_000
"""2026-01-01T00:00:00Z; nothing depends on the date."""


class Fault(msgspec.Struct, kw_only=True):
    """One fault. `cures` and `worsens` are what was drawn for it; `ended_by` the command that did.

    `worse` are the commands that multiply its errors and were not taken back.
    """

    number: int
    kind: str
    error: str
    service: str
    begins_ms: int
    ends_ms: int
    per_second: float
    cures: frozenset[str]
    worsens: dict[str, float]
    worse: dict[str, float] = {}
    ended_by: str = ""
    strategy: str = ""
    errors: int = 0
    harm: float = 0.0

    def rate(self) -> float:
        """Errors a second now."""
        rate = self.per_second
        for factor in self.worse.values():
            rate *= factor
        return rate


def draw(scenario: RecoveryScenario, seed: int) -> list[Fault]:
    """All faults of a run in the order of their beginning, at most one at a service at a time."""
    chance = stream(seed, "faults")
    faults: list[Fault] = []
    free: dict[str, int] = {}
    end_ms = START_MS + round(scenario.hours * 3_600_000)
    now_ms = START_MS
    while True:
        now_ms += round(chance.expovariate(scenario.faults_per_hour) * 3_600_000) + 1
        if now_ms >= end_ms:
            return faults
        name = chance.choice(sorted(scenario.kinds))
        kind = scenario.kinds[name]
        places = [
            place
            for place in (kind.services or sorted(scenario.services))
            if free.get(place, 0) < now_ms
        ]
        if not places:
            continue
        service = chance.choice(places)
        length_ms = round(chance.uniform(*kind.minutes) * 60_000)
        free[service] = now_ms + length_ms + 120_000
        number = len(faults)
        faults.append(
            Fault(
                number=number,
                kind=name,
                error=kind.error,
                service=service,
                begins_ms=now_ms,
                ends_ms=now_ms + length_ms,
                per_second=chance.uniform(*kind.per_second),
                cures=frozenset(
                    strategy
                    for strategy, share in kind.cures.items()
                    if stream(seed, "cures", str(number), strategy).random() < share
                ),
                worsens={
                    strategy: one.factor
                    for strategy, one in kind.worsens.items()
                    if stream(seed, "worsens", str(number), strategy).random() < one.chance
                },
            )
        )


def sample(error: str) -> ErrorEvent:
    """An event of that error, as a service would report it."""
    spec = ERRORS[error]
    made = ErrorEvent(
        service="orders",
        error_type=spec.type,
        event_id=derive("simulated", error),
        time=START_MS,
        message=spec.messages[0].format(n=7, id="3f2a", ms=30_000, host="10.0.0.7", other="db"),
        frames=[Frame("orders.app", spec.function, "orders/app.py", 40, in_app=True)],
    )
    if spec.severity:
        made.severity = spec.severity
    if spec.status:
        made.http_status = spec.status
    return made
