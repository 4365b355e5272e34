"""What the tests of response are made of: a small fleet, its inputs, and a driver."""

from typing import Any, Final

import msgspec

from faultstream import wire
from faultstream.core.controls import Wish, ask
from faultstream.core.incident import Case, EnvironmentState
from faultstream.core.policy import Topology
from faultstream.core.records import (
    Control,
    Incident,
    Pattern,
    RecoveryCommand,
    RecoveryResult,
    ResultStatus,
)
from faultstream.core.respond import Input, Output, Respond, Tick
from tests.core import making
from tests.core.making import T0

SERVICES: Final = {
    "gateway": {"layer": "api", "depends_on": ["orders"]},
    "orders": {"layer": "service", "depends_on": ["ledger"]},
    "ledger": {"layer": "core"},
}


def topology(**changes: Any) -> Topology:
    """The shipped topology with a small fleet, and parts replaced; `strategies` are added."""
    return making.topology(**{"services": SERVICES, **changes})


def pattern(number: int = 1, **changes: Any) -> Pattern:
    """An open pattern of orders."""
    fields: dict[str, Any] = {
        "pattern_id": f"p{number}",
        "revision": 1,
        "kind": "recurring",
        "state": "open",
        "environment": "production",
        "service": "orders",
        "layer": "service",
        "fingerprint": "f",
        "error_type": "ConnectionError",
        "category": "network",
        "transient": True,
        "first_at_ms": T0,
        "last_at_ms": T0,
        "detected_at_ms": T0,
        "count": 3,
        "rate": 1.0,
    }
    return Pattern(**{**fields, **changes})


class Desk:
    """One environment, driven input by input. Its state is saved and loaded after each."""

    def __init__(self, made: Topology | None = None) -> None:
        self.respond = Respond(made or topology())
        self.state: EnvironmentState = self.respond.new("production")
        self.now = T0
        self.out: list[Output] = []
        self.serial = 0
        self.shown: dict[str, Pattern] = {}

    def give(self, one: Input, after_ms: int = 0) -> list[Output]:
        """Hands an input over, `after_ms` later than the last one."""
        self.now += after_ms
        made = self.respond.step(self.state, one, self.now)
        self.state = self.respond.load(self.respond.save(self.state))
        for x in made:
            wire.encode(x)
        self.out += made
        return made

    def opens(self, number: int = 1, **changes: Any) -> list[Output]:
        """A pattern opens now."""
        times = {"first_at_ms": self.now, "last_at_ms": self.now, "detected_at_ms": self.now}
        one = pattern(number, **{**times, **changes})
        self.shown[one.pattern_id] = one
        return self.give(one)

    def rate(self, rate: float, number: int = 1, after_ms: int = 0) -> list[Output]:
        """The pattern is told again with another rate."""
        one = self.shown[f"p{number}"]
        self.now += after_ms
        changes: dict[str, Any] = {"state": "updated", "rate": rate, "last_at_ms": self.now}
        self.shown[one.pattern_id] = msgspec.structs.replace(
            one, revision=one.revision + 1, **changes
        )
        return self.give(self.shown[one.pattern_id])

    def closes(self, number: int = 1, after_ms: int = 0) -> list[Output]:
        """The pattern closes."""
        one = self.shown[f"p{number}"]
        closed: dict[str, Any] = {"state": "closed", "rate": 0.0, "closed_at_ms": self.now}
        return self.give(
            msgspec.structs.replace(one, revision=one.revision + 1, **closed), after_ms
        )

    def answers(
        self,
        status: ResultStatus = "success",
        command: RecoveryCommand | None = None,
        instance: str = "i1",
        **more: Any,
    ) -> list[Output]:
        """An executor answers a command, the latest one by default."""
        self.serial += 1
        to = command or self.commands[-1]
        return self.give(
            RecoveryResult(
                result_id=f"r{self.serial}",
                command_id=to.command_id,
                incident_id=to.incident_id,
                executor="test",
                instance=instance,
                status=status,
                started_at_ms=self.now,
                finished_at_ms=self.now,
                **more,
            ),
            100,
        )

    def wishes(self, wish: Wish, by: str = "ann", after_ms: int = 10) -> list[Output]:
        """A person publishes a control."""
        self.now += after_ms
        return self.give(ask(wish, environment="production", by=by, now_ms=self.now))

    def pauses(self, *, active: bool = True, **more: Any) -> list[Output]:
        """Recovery is paused, or resumed."""
        given: dict[str, Any] = {"control_id": "p", "kind": "pause", "subject": "pause/*", **more}
        return self.give(Control(active=active, set_at_ms=self.now, **given))

    def waits(self, length_ms: int, step_ms: int = 1_000) -> list[Output]:
        """Time passes, with a tick each `step_ms`."""
        made: list[Output] = []
        for _ in range(length_ms // step_ms):
            self.now += step_ms
            made += self.give(Tick(self.now))
        return made

    @property
    def commands(self) -> list[RecoveryCommand]:
        """All commands so far."""
        return [one for one in self.out if isinstance(one, RecoveryCommand)]

    @property
    def case(self) -> Case:
        """The only open incident."""
        (found,) = self.state.cases.values()
        return found

    @property
    def last(self) -> Incident:
        """The latest revision of any incident."""
        return [one for one in self.out if isinstance(one, Incident)][-1]

    @property
    def at(self) -> str:
        """The latest incident's state."""
        return str(self.last.state)

    @property
    def outcomes(self) -> list[str]:
        """The latest incident's attempts and what came of them."""
        return [
            f"{'undo ' if one.rollback_of else ''}{one.step_id or one.strategy} {one.outcome}"
            for one in self.last.attempts
        ]
