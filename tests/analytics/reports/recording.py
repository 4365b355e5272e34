"""The recorded data set of the tests of reports: `recorded.jsonl`, what the pipeline's own stages
published for `plan.yaml`, a line per record in the order of publishing.

`python -m tests.analytics.reports.recording` makes it anew; it changes when decisions change.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from faultstream import wire
from faultstream.core.ids import derive
from faultstream.core.notify.decision import records
from faultstream.core.notify.stage import Delivered, Notify
from faultstream.core.notify.stage import Input as Heard
from faultstream.core.notify.stage import Tick as Minute
from faultstream.core.notify.state import Decision
from faultstream.core.policy import TopicRole
from faultstream.core.records import (
    Incident,
    Notification,
    Pattern,
    Record,
    RecoveryCommand,
    RecoveryResult,
)
from faultstream.core.respond import Input
from tests.core import making
from tests.core.test_scenarios import World

PLAN: Final = Path(__file__).with_name("plan.yaml")
FILE: Final = Path(__file__).with_name("recorded.jsonl")
ROLES: Final[Mapping[type[Record], TopicRole]] = {
    Pattern: "patterns",
    Incident: "incidents",
    RecoveryCommand: "commands",
    RecoveryResult: "results",
    Notification: "notifications",
}


class Recording(World):
    """A world whose errors have ids, with notification behind it; keeps all that is published. A
    cure is none for errors that begin later."""

    def __init__(self, plan: Mapping[str, Any]) -> None:
        super().__init__(plan)
        self.lines: list[tuple[TopicRole, bytes]] = []
        self.notify = Notify(making.topology())
        self.people = self.notify.new("production")
        self.kept = 0

    def errors(self, now: int) -> Iterator[tuple[str, bytes]]:
        begun = [making.T0 + source["at_ms"] for source in self.plan["errors"]]
        self.cured = {one: at for one, at in self.cured.items() if at >= begun[one]}
        for number, (service, raw) in enumerate(super().errors(now)):
            event = {**wire.loads(raw), "event_id": derive("recorded", now, number)}
            self.lines.append(("errors", wire.dumps(event)))
            yield service, wire.dumps(event)

    def give(self, one: Input, now: int) -> None:
        if isinstance(one, RecoveryResult):
            self.lines.append(("results", wire.encode(one)))
        super().give(one, now)

    def tick(self, now: int) -> None:
        super().tick(now)
        for record in self.records[self.kept :]:
            self.lines.append((ROLES[type(record)], wire.encode(record)))
            if isinstance(record, Notification | Incident):
                self.hear(record, now)
        self.kept = len(self.records)
        self.hear(Minute(), now)

    def hear(self, what: Heard, now: int) -> None:
        for made in self.notify.step(self.people, what, now):
            if isinstance(made, Decision):
                for record in records("production", made):
                    self.lines.append(("notification_decisions", wire.encode(record)))
        for send in self.notify.due(self.people, now):
            done = Delivered(message_id=send.message.notification_id, channel=send.channel)
            self.hear(done, now)


def recorded() -> Iterator[tuple[TopicRole, bytes]]:
    """The records of the file: the role of the topic and the value."""
    for line in FILE.read_text("utf-8").splitlines():
        role, value = json.loads(line)
        yield role, wire.dumps(value)


if __name__ == "__main__":
    world = Recording(yaml.safe_load(PLAN.read_text("utf-8")))
    world.run()
    text = "".join(f'["{role}",{value.decode()}]\n' for role, value in world.lines)
    FILE.write_text(text, "utf-8")
