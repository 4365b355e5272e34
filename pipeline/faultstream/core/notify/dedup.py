"""Dedup: whether a group has news for a channel, and why. Alertmanager's decision table."""

from collections.abc import Set as AbstractSet
from typing import Literal

import msgspec

Reason = Literal["first", "new_alerts", "all_resolved", "new_resolved", "repeat"]


class Entry(msgspec.Struct, array_like=True):
    """What a channel was last told of a group, and when: the notification log."""

    at_ms: int
    firing: list[str]
    resolved: list[str]


def needed(
    entry: Entry | None,
    firing: AbstractSet[str],
    resolved: AbstractSet[str],
    *,
    send_resolved: bool,
    repeat_interval_ms: int,
    now_ms: int,
) -> Reason | None:
    """Why a message is due; None when there is no news.

    What fired and was resolved between two looks is never told. Alerts that are muted are in
    neither set.
    """
    if entry is None:
        return "first" if firing else None
    if not firing <= set(entry.firing):
        return "new_alerts"
    if not firing:
        return "all_resolved" if entry.firing else None
    if send_resolved and not resolved <= set(entry.resolved):
        return "new_resolved"
    return "repeat" if entry.at_ms <= now_ms - repeat_interval_ms else None
