"""Turn: one step's work. Messages are handed over here, within the rate limits, and come back."""

from collections.abc import Mapping, Sequence
from typing import Final

from faultstream.core.ids import derive
from faultstream.core.notify import compose
from faultstream.core.notify.dedup import Entry
from faultstream.core.notify.route import Route, receivers, tree
from faultstream.core.notify.state import (
    MAX_TITLES,
    Decision,
    Digest,
    Kind,
    NotifyState,
    Send,
    Told,
)
from faultstream.core.policy import Topology

RETRY_MS: Final = 60_000
MAX_TRIES: Final = 30


class Rules:
    """What a topology says about notification, taken apart once."""

    def __init__(self, topology: Topology) -> None:
        self.root = tree(topology)
        self.routes: Mapping[str, Route] = {route.path: route for route in self.root.walk()}
        self.receivers = receivers(topology)
        self.channels = topology.channels
        self.policy = topology.notification


class Turn:
    """The state, the rules, and what has been decided so far in this step."""

    def __init__(self, rules: Rules, state: NotifyState) -> None:
        self.rules = rules
        self.state = state
        self.now_ms = state.now_ms
        self.outputs: list[Decision | Send] = []

    def decide(self, kind: Kind, reason: str, ids: Sequence[str], send: Send | None = None) -> None:
        """Write down what was decided about these notifications."""
        self.state.decided += 1
        self.outputs.append(
            Decision(
                kind=kind,
                reason=reason,
                notification_ids=tuple(ids),
                channel=send.channel if send else "",
                receiver=send.receiver if send else "",
                group=send.group if send else "",
                message_id=send.message.notification_id if send else "",
                at_ms=self.now_ms,
                decision_id=derive("decision", self.state.environment, self.state.decided),
                level=send.message.level if send else "",
                title=send.message.title if send else "",
            )
        )

    def hand_over(self, send: Send) -> None:
        """To the channel whose turn it is, now; or into its digest; or to nobody, when it does
        not want this level."""
        level, channel = send.message.level, self.rules.channels.get(send.channel)
        if channel and compose.RANK[level] < compose.RANK[channel.min_level]:
            self._log(send.told)
            self.decide("suppressed", f"{level} is below {channel.min_level}", send.sources, send)
            return
        limit = self.rules.policy.rate_limits.get(level)
        if send.digest or limit is None or channel is None or not channel.rate_limited:
            self._due(send)
            return
        key = f"{send.channel}\x1f{level}"
        window = [at for at in self.state.windows.get(key, []) if at > self.now_ms - limit.per_ms]
        self.state.windows[key] = window
        if key not in self.state.digests and len(window) < limit.count:
            window.append(self.now_ms)
            self._due(send)
            return
        due_ms = max(self.now_ms, window[0] + limit.per_ms) if window else self.now_ms
        self._collect(key, send, due_ms)
        reason = f"more than {limit.count} {level} in {limit.per_ms // 1000} s on {send.channel}"
        self._log(send.told)
        self.decide("digest", reason, send.sources, send)

    def delivered(self, message_id: str, channel: str, reason: str) -> None:
        """A channel took a message (`reason` ""), or gave up on it."""
        send = self.state.due.get(_key(message_id, channel))
        if send is None:
            return
        del self.state.due[_key(message_id, channel)]
        if not reason:
            self._log(send.told)
            kind: Kind = "repeated" if send.reason == "repeat" else "sent"
            self.decide(kind, send.reason, send.sources, send)
            return
        self.decide("failed", reason, send.sources, send)
        if send.place + 1 < len(send.channels):
            send.place += 1
            self.hand_over(send)
        elif send.told is not None and self._back(send):
            pass  # the group's next look makes it anew
        elif send.tries + 1 < MAX_TRIES:
            send.place, send.tries, send.at_ms = 0, send.tries + 1, self.now_ms + RETRY_MS
            self._due(send)
        else:
            self.decide("undelivered", reason, send.sources, send)

    def digests(self) -> None:
        """Hand over the digests that are due."""
        for key, one in list(self.state.digests.items()):
            if one.due_ms > self.now_ms:
                continue
            del self.state.digests[key]
            message = compose.digest(one, self.state.environment, self.now_ms)
            self.state.windows.setdefault(key, []).append(self.now_ms)
            self.hand_over(
                Send(
                    message=message,
                    channels=[one.channel],
                    reason=f"digest of {one.count}",
                    sources=[],
                    digest=True,
                )
            )

    def _due(self, send: Send) -> None:
        message_id = send.message.notification_id
        self.state.due[_key(message_id, send.channel)] = send
        self.outputs.append(send)

    def _collect(self, key: str, send: Send, due_ms: int) -> None:
        digest = self.state.digests.get(key)
        if digest is None:
            digest = self.state.digests[key] = Digest(
                level=send.message.level,
                channel=send.channel,
                due_ms=due_ms,
                since_ms=self.now_ms,
            )
        digest.count += 1
        title = send.message.title
        if title in digest.titles or len(digest.titles) < MAX_TITLES:
            digest.titles[title] = digest.titles.get(title, 0) + 1
        else:
            digest.more += 1

    def _log(self, told: Told | None) -> None:
        if told is not None:
            self.state.log.pop(told.entry, None)
            self.state.log[told.entry] = Entry(self.now_ms, told.firing, told.resolved)

    def _back(self, send: Send) -> bool:
        """Put what was to be told back into the group; whether it is still there."""
        group = self.state.groups.get(send.group)
        if group is None or send.told is None:
            return False
        for alert_id in (*send.told.firing, *send.told.resolved):
            member = group.members.get(alert_id)
            if member is not None:
                old = set(send.sources)
                member.news = [*send.sources, *(one for one in member.news if one not in old)]
                return True
        return False


def _key(message_id: str, channel: str) -> str:
    return f"{message_id}\x1f{channel}"
