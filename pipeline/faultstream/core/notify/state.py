"""What notification remembers of one environment. All of it is bounded by the MAX_ constants; at a
bound the oldest goes, and a decision says so."""

from typing import Final, Literal

import msgspec

from faultstream.core.notify.dedup import Entry
from faultstream.core.records import Level, Notification
from faultstream.core.stored import Stored

VERSION: Final = 1
MAX_ALERTS: Final = 5_000
MAX_SEEN: Final = 10_000
MAX_NEWS: Final = 100
MAX_TITLES: Final = 20
MAX_ENTRIES: Final = 20_000
MAX_CLIMBS: Final = 5_000
MAX_SILENCES: Final = 1_000
FLIGHT_MS: Final = 900_000
"""Recovery of which nothing was heard for this long mutes nobody any more."""
MEMORY_MS: Final = 86_400_000
"""How long an acknowledgement and a finished escalation are remembered."""

Kind = Literal["grouped", "sent", "repeated", "digest", "suppressed", "failed", "undelivered"]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided about some notifications, and why.

    grouped: they wait for their group; sent, repeated: a channel took the message `message_id`;
    digest: they are in one that is to come; suppressed: nobody is told now; failed: a channel gave
    up and it will be tried again or on another one; undelivered: nobody will be told.
    """

    kind: Kind
    reason: str
    notification_ids: tuple[str, ...]
    channel: str = ""
    receiver: str = ""
    group: str = ""
    message_id: str = ""
    at_ms: int = 0
    decision_id: str = ""
    level: str = ""
    """Of the message; "" when it is about none."""
    title: str = ""


class Alert(msgspec.Struct, kw_only=True):
    """Something that fires until it is resolved."""

    alert_id: str
    labels: dict[str, str]
    level: Level
    title: str
    body: str
    incident_id: str
    pattern_ids: list[str]
    ends_ms: int | None = None
    """None: until its incident is resolved; in the past: resolved."""
    resolution: str = ""

    @property
    def subject(self) -> str:
        """What people acknowledge: its incident, or itself."""
        return self.incident_id or self.alert_id

    def fires(self, now_ms: int) -> bool:
        """Whether it is not resolved at `now_ms`."""
        return self.ends_ms is None or now_ms < self.ends_ms


class Member(msgspec.Struct, kw_only=True):
    """An alert in a group. `news`: ids of notifications that wait for the group's next look.
    `muted`: why nobody is told, as last decided."""

    news: list[str] = []
    muted: str = ""


class Group(msgspec.Struct, kw_only=True):
    """Alerts that are told together. `next_ms`: when it is looked at."""

    path: str
    labels: dict[str, str]
    next_ms: int
    members: dict[str, Member] = {}
    looked: bool = False


class Told(msgspec.Struct, kw_only=True):
    """What the log will say of a group and channel once a message is delivered."""

    entry: str
    firing: list[str]
    resolved: list[str]


class Send(msgspec.Struct, kw_only=True):
    """A message for the first of `channels`; the others are tried, one after the other, when it
    gives up. Its id is the same after a crash. `sources`: the notifications in it. `group` is ""
    for digests and escalations."""

    message: Notification
    channels: list[str]
    reason: str
    sources: list[str]
    told: Told | None = None
    group: str = ""
    receiver: str = ""
    place: int = 0
    tries: int = 0
    at_ms: int = 0
    """When it is handed over, at the earliest."""
    digest: bool = False

    @property
    def channel(self) -> str:
        """The one whose turn it is."""
        return self.channels[self.place]


class Digest(msgspec.Struct, kw_only=True):
    """What a channel was not told one by one: titles to how often, `more` of other titles."""

    level: Level
    channel: str
    due_ms: int
    since_ms: int
    titles: dict[str, int] = {}
    more: int = 0
    count: int = 0


class Climb(msgspec.Struct, kw_only=True):
    """How far an escalation has come. `over_ms` set: nobody is told any more; `held`: why nobody
    is told now."""

    policy: str
    subject: str
    started_ms: int
    next_ms: int
    step: int = 0
    round: int = 0
    over_ms: int | None = None
    held: str = ""
    sources: list[str] = []


class Silence(msgspec.Struct, kw_only=True):
    """A silence that is in force from `from_ms` on. `until_ms` None: until it is taken back."""

    matchers: list[str]
    until_ms: int | None
    by: str = ""
    reason: str = ""
    from_ms: int = 0

    def holds(self, now_ms: int) -> bool:
        """Whether it is in force."""
        return self.from_ms <= now_ms and (self.until_ms is None or now_ms < self.until_ms)


class NotifyState(msgspec.Struct, kw_only=True):
    """All that notification remembers of one environment."""

    version: int = VERSION
    environment: str
    now_ms: int = 0
    decided: int = 0
    """Decisions so far; each has its number in its id."""
    said: list[Decision] = []
    """Those that are not published yet; kept and bounded by the stage around it."""
    alerts: dict[str, Alert] = {}
    groups: dict[str, Group] = {}
    log: dict[str, Entry] = {}
    due: dict[str, Send] = {}
    windows: dict[str, list[int]] = {}
    digests: dict[str, Digest] = {}
    climbs: dict[str, Climb] = {}
    silences: dict[str, Silence] = {}
    acknowledged: dict[str, int] = {}
    flying: dict[str, int] = {}
    over: dict[str, int] = {}
    seen: dict[str, None] = {}


_stored: Final = Stored(NotifyState, "notification", version=VERSION, steps={})


def save(state: NotifyState) -> bytes:
    """The state as bytes (MessagePack)."""
    return _stored.save(state)


def load(raw: bytes) -> NotifyState:
    """The state that `save` wrote.

    Raises:
        StateVersionError: another version wrote it, which this one cannot read.
        msgspec.DecodeError: these bytes are no saved state.
    """
    return _stored.load(raw)
