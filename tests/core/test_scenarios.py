"""Scenarios: events in; patterns, incidents, commands and notifications out.

tests/scenarios/README.md says how to write one.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml

from faultstream import wire
from faultstream.core.detect import Detect, ServiceState
from faultstream.core.grouping import Grouper
from faultstream.core.policy import DetectorsPolicy
from faultstream.core.records import (
    Control,
    Incident,
    Notification,
    Pattern,
    Record,
    RecoveryCommand,
    RecoveryResult,
)
from faultstream.core.respond import Input, Output, Respond, Tick
from faultstream.core.watermark import Watermark
from faultstream.formats.native import admit
from tests.core import making
from tests.core.making import T0

FOLDER: Final = Path(__file__).resolve().parents[1] / "scenarios"
STEP_MS: Final = 50


class World:
    """A simulated fleet: sources of errors, executors that answer, one environment."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        topology = making.topology(**plan.get("topology", {}))
        self.detect, self.respond = Detect(topology), Respond(topology)
        self.policy: DetectorsPolicy = topology.detectors
        self.group = Grouper(topology).group
        self.states: dict[str, ServiceState] = {}
        self.marks: dict[str, Watermark] = {}
        self.environment = self.respond.new("production")
        self.plan = plan
        self.cured: dict[int, int] = {}
        self.due: list[tuple[int, int, Input]] = []
        self.serial = 0
        self.records: list[Record] = []

    def run(self) -> list[Record]:
        """Lets the scenario's time pass and returns everything that was published."""
        for at in self.plan.get("controls", []):
            fields = {k: v for k, v in at.items() if k != "at_ms"}
            control = Control(control_id="c", set_at_ms=T0 + at["at_ms"], **fields)
            self.later(T0 + at["at_ms"], control)
        for now in range(T0, T0 + self.plan["for_ms"], STEP_MS):
            for service, raw in self.errors(now):
                self.see(service, raw, now)
            if (now - T0) % 1_000 == 0:
                self.tick(now)
            for one in [one for one in self.due if one[0] <= now]:
                self.due.remove(one)
                self.give(one[2], now)
        return self.records

    def errors(self, now: int) -> Iterator[tuple[str, bytes]]:
        """The error events that the sources publish in this step."""
        for number, source in enumerate(self.plan["errors"]):
            at, until = T0 + source["at_ms"], T0 + source.get("until_ms", source["at_ms"] + 1)
            until = min(until, self.cured.get(number, until))
            if at <= now < until and (now - at) % source.get("every_ms", STEP_MS) == 0:
                fields = {"time": now - source.get("behind_ms", 0), **source["event"]}
                yield fields["service"], wire.dumps(fields)

    def see(self, service: str, raw: bytes, now: int) -> None:
        """One event goes through detection."""
        event = admit(raw, timestamp_ms=now)
        state = self.states.setdefault(service, self.detect.new("production", service))
        mark = self.marks.setdefault(service, Watermark(self.policy))
        self.serial += 1
        name = event.event_id or f"{service}-{self.serial}"
        self.detect.observe(state, event, self.group(event), name, now)
        mark.advance(int(event.time or 0), now)
        self.tell(self.detect.judge(state, mark.value_ms), now)

    def tick(self, now: int) -> None:
        """A second has passed."""
        for service, state in self.states.items():
            self.marks[service].tick(now)
            if self.detect.due(state):
                self.tell(self.detect.judge(state, self.marks[service].value_ms), now)
        if self.respond.wants_tick(self.environment):
            self.give(Tick(now), now)

    def tell(self, patterns: list[Pattern], now: int) -> None:
        """Patterns reach response at once."""
        for one in patterns:
            self.records.append(one)
            self.give(one, now)

    def give(self, one: Input, now: int) -> None:
        """An input reaches response; executors take its commands."""
        for made in self.respond.step(self.environment, one, now):
            self.records.append(made)
            if isinstance(made, RecoveryCommand):
                self.execute(made, now)
            elif isinstance(made, Pattern):
                self.later(now + STEP_MS, made)

    def execute(self, command: RecoveryCommand, now: int) -> None:
        """Executors answer as the scenario says; without an answer there is none."""
        for answer in self.plan.get("answers", []):
            if answer["strategy"] != command.strategy:
                continue
            if answer.get("service", command.target.service) != command.target.service:
                continue
            at = now + answer.get("after_ms", 200)
            who = answer.get("instance", "one")
            result = RecoveryResult(
                result_id=f"{command.command_id}-{who}",
                command_id=command.command_id,
                incident_id=command.incident_id,
                executor="test",
                instance=who,
                status=answer["status"],
                started_at_ms=now,
                finished_at_ms=at,
            )
            self.later(at, result)
            for number in answer.get("cures", []):
                self.cured[number] = at

    def later(self, at: int, one: Input) -> None:
        """Something reaches response at a time."""
        self.due.append((at, len(self.due), one))
        self.due.sort(key=lambda item: item[:2])


KINDS: Final[dict[str, type[Record]]] = {
    "patterns": Pattern,
    "incidents": Incident,
    "commands": RecoveryCommand,
    "notifications": Notification,
}


def flat(record: Record) -> dict[str, Any]:
    """A record as plain values, with `outcomes` and times after the start for incidents."""
    plain: dict[str, Any] = msgspec.to_builtins(record)
    values = {field: getattr(record, field) for field in record.__struct_fields__}
    if isinstance(record, Incident):
        values["outcomes"] = [f"{one.strategy} {one.outcome}" for one in record.attempts]
    if isinstance(record, RecoveryCommand):
        values["service"] = record.target.service
    return {**plain, **values}


def matches(record: Record, wanted: Mapping[str, Any]) -> bool:
    """Whether a record has the wanted fields; a text with `~` in front is looked for."""
    have = flat(record)
    for name, value in wanted.items():
        if isinstance(value, str) and value.startswith("~"):
            if value[1:] not in str(have[name]):
                return False
        elif have[name] != value:
            return False
    return True


def find(records: list[Record], kind: str, wanted: list[Mapping[str, Any]]) -> None:
    """Each wanted record occurs, in this order.

    Raises:
        AssertionError: one does not; shows what there was.
    """
    mine = [one for one in records if isinstance(one, KINDS[kind])]
    rest = iter(mine)
    for item in wanted:
        shown = "\n".join(str(flat(one)) for one in mine)
        assert any(matches(one, item) for one in rest), f"no {kind} {item} in order in\n{shown}"


FILES: Final = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    """What the scenario's file claims."""
    plan = yaml.safe_load(path.read_text())
    assert plan["claim"]
    records = World(plan).run()
    for kind, wanted in plan.get("expect", {}).items():
        find(records, kind, wanted)
    for kind, count in plan.get("counts", {}).items():
        made = [one for one in records if isinstance(one, KINDS[kind])]
        assert len(made) == count, [flat(one) for one in made]
    last: dict[str, Output] = {x.incident_id: x for x in records if isinstance(x, Incident)}
    states = [x.state for x in last.values() if isinstance(x, Incident)]
    assert sorted(states) == sorted(plan.get("ends", states)), states
