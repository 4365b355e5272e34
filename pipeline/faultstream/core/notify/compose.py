"""Compose: the texts that people read."""

from collections.abc import Mapping, Sequence
from typing import Final

from faultstream.core.ids import derive
from faultstream.core.notify.state import Alert, Digest
from faultstream.core.records import Level, Notification

RANK: Final[dict[Level, int]] = {"info": 0, "warning": 1, "error": 2, "critical": 3}
MAX_LINES: Final = 20
_FIELDS: Final = frozenset({"environment", "group", "incident_id", "level", "title"})


def message(
    message_id: str,
    firing: Sequence[Alert],
    resolved: Sequence[Alert],
    *,
    labels: Mapping[str, str],
    reason: str,
    environment: str,
    now_ms: int,
) -> Notification:
    """The message about a group. One alert speaks for itself; several become a list, the
    gravest first, of at most `MAX_LINES`."""
    told = sorted(firing, key=lambda alert: -RANK[alert.level])
    alerts = [*told, *resolved]
    gravest: Level = max((alert.level for alert in told or resolved), key=RANK.__getitem__)
    if len(alerts) == 1:
        title, body = _single(alerts[0], fires=bool(told))
    else:
        counts = [f"{len(told)} firing"] if told else []
        counts += [f"{len(resolved)} resolved"] if resolved else []
        common = ", ".join(f"{name}={value}" for name, value in labels.items())
        title = ", ".join(counts) + (f": {common}" if common else "")
        body = _list(told, resolved)
    incidents = {alert.incident_id for alert in alerts}
    groups = {alert.labels.get("group", "") for alert in alerts}
    return Notification(
        notification_id=message_id,
        group=groups.pop() if len(groups) == 1 else environment,
        level=gravest,
        title=title,
        body=body,
        environment=environment,
        incident_id=incidents.pop() if len(incidents) == 1 else "",
        pattern_ids=sorted({one for alert in alerts for one in alert.pattern_ids}),
        reason=reason,
        created_at_ms=now_ms,
        status="firing" if told else "resolved",
        labels=_common(alerts),
    )


def digest(one: Digest, environment: str, now_ms: int) -> Notification:
    """The message that stands for those that the rate limit held back, with counts."""
    lines = [f"{count} x {title}" for title, count in one.titles.items()]
    lines += [f"{one.more} more of other titles"] if one.more else []
    plural = "" if one.count == 1 else "s"
    seconds = max(1, (now_ms - one.since_ms) // 1000)
    return Notification(
        notification_id=derive("digest", environment, one.channel, one.level, one.since_ms),
        group=environment,
        level=one.level,
        title=f"{one.count} more {one.level} notification{plural} in {seconds} s",
        body="\n".join(lines),
        environment=environment,
        reason="digest",
        created_at_ms=now_ms,
    )


def _common(alerts: Sequence[Alert]) -> dict[str, str]:
    """The labels that all of them have, but for those that are fields of a message."""
    first, *others = alerts
    return {
        name: value
        for name, value in sorted(first.labels.items())
        if name not in _FIELDS and all(one.labels.get(name) == value for one in others)
    }


def _single(alert: Alert, *, fires: bool) -> tuple[str, str]:
    if fires:
        return alert.title, alert.body
    return f"resolved: {alert.title}", alert.resolution


def _list(told: Sequence[Alert], resolved: Sequence[Alert]) -> str:
    lines = [f"{alert.level}: {alert.title}\n{alert.body}".rstrip() for alert in told]
    lines += [f"resolved: {alert.title}\n{alert.resolution}".rstrip() for alert in resolved]
    more = len(lines) - MAX_LINES
    return "\n".join(lines[:MAX_LINES] + ([f"and {more} more"] if more > 0 else []))
