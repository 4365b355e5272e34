"""What the tests of notification are made of."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from faultstream.core.notify.stage import Delivered, Input, Notify, Output, Tick
from faultstream.core.notify.state import Decision, NotifyState, Send
from faultstream.core.policy import ChannelPolicy, NotificationPolicy, Topology
from faultstream.core.records import Control, Incident, IncidentState, Level, Notification
from tests.core.making import topology

T0: Final = 1_700_000_000_000
SECOND: Final = 1_000
MINUTE: Final = 60_000
HOUR: Final = 3_600_000


def rules(*channels: str, **notification: Any) -> Topology:
    """The shipped topology with these channels and this section `notification`."""
    return msgspec.structs.replace(
        topology(),
        channels={name: ChannelPolicy(kind="log") for name in channels or ("mail",)},
        notification=msgspec.convert(notification, NotificationPolicy),
    )


def note(
    number: int,
    *,
    level: Level = "error",
    incident: str = "",
    title: str = "",
    at_ms: int = T0,
    status: str = "firing",
    **labels: str,
) -> Notification:
    """Notification `n<number>`; by default each is an alert of its own."""
    incident = incident or f"i{number}"
    return Notification(
        notification_id=f"n{number}",
        group=f"production/{labels.get('service', 'orders')}",
        level=level,
        title=title or f"title of {incident}",
        body=f"body of n{number}",
        environment="production",
        incident_id=incident,
        created_at_ms=at_ms,
        status="resolved" if status == "resolved" else "firing",
        labels=labels,
    )


def incident(name: str, state: IncidentState, at_ms: int = T0) -> Incident:
    """A revision of an incident."""
    return Incident(
        incident_id=name,
        revision=1,
        state=state,
        severity="high",
        environment="production",
        root="orders",
        pattern_ids=[],
        first_error_at_ms=at_ms,
        opened_at_ms=at_ms,
        updated_at_ms=at_ms,
        reason=f"{name} is {state}",
    )


def silence(
    *matchers: str, until_ms: int | None = None, active: bool = True, from_ms: int | None = None
) -> Control:
    """A silence of Ann's."""
    return Control(
        control_id="c",
        kind="silence",
        subject="silence/s",
        active=active,
        by="ann",
        set_at_ms=T0,
        from_at_ms=from_ms,
        until_at_ms=until_ms,
        parameters={"matchers": list(matchers)},
    )


def acknowledge(incident_id: str, *, active: bool = True) -> Control:
    """Ann takes care of an incident, or no longer."""
    return Control(
        control_id="c",
        kind="acknowledge",
        subject=f"acknowledge/{incident_id}",
        active=active,
        by="ann",
        set_at_ms=T0,
        parameters={"incident_id": incident_id},
    )


class Desk:
    """A state that is driven second by second; channels in `broken` give up."""

    def __init__(self, topology: Topology) -> None:
        self.notify = Notify(topology)
        self.state: NotifyState = self.notify.new("production")
        self.now_ms = T0
        self.broken: set[str] = set()
        self.sent: list[Send] = []
        self.decisions: list[Decision] = []

    def give(self, *inputs: Input) -> list[Send]:
        """Take the inputs now; the messages that went out at once."""
        before = len(self.sent)
        for given in inputs:
            self._keep(self.notify.step(self.state, given, self.now_ms))
        self._deliver()
        return self.sent[before:]

    def wait(self, length_ms: int, step_ms: int = SECOND) -> list[Send]:
        """Let time pass; what was delivered meanwhile."""
        before, end_ms = len(self.sent), self.now_ms + length_ms
        while self.now_ms < end_ms:
            self.now_ms = min(end_ms, self.now_ms + step_ms)
            self.give(Tick())
        return self.sent[before:]

    def why(self, number: int) -> list[str]:
        """What was decided about `n<number>`, kind and reason."""
        return [
            f"{one.kind}: {one.reason}"
            for one in self.decisions
            if f"n{number}" in one.notification_ids and one.kind != "grouped"
        ]

    def _deliver(self) -> None:
        while due := self.notify.due(self.state, self.now_ms):
            for send in due:
                ok = send.channel not in self.broken
                if ok:
                    self.sent.append(msgspec.structs.replace(send))
                given = Delivered(
                    message_id=send.message.notification_id,
                    channel=send.channel,
                    reason="" if ok else "no route",
                )
                self._keep(self.notify.step(self.state, given, self.now_ms))

    def _keep(self, outputs: Iterable[Output]) -> None:
        self.decisions += [one for one in outputs if isinstance(one, Decision)]


def titles(sent: Iterable[Send]) -> list[tuple[str, str]]:
    """Channel and title of messages."""
    return [(send.channel, send.message.title) for send in sent]
