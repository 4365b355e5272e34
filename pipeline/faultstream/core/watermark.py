"""Watermark: up to which event time a partition is believed complete.

value = newest event time seen - allowed lateness. Events older than the value are late. A
partition without records would stop time, so after `idle_ms` in which it was known to be read to
its end the value moves on with the wall clock; a record from the future must not make the present
late, so the value never passes the wall clock by more than `SKEW_MS` once a tick has told it.
"""

from typing import Final

import msgspec

from faultstream.core.policy import DetectorsPolicy

SKEW_MS: Final = 1_000
"""Producers' clocks may run ahead of ours by this much before they are held back."""

START: Final = -(1 << 62)


class _Saved(msgspec.Struct, array_like=True):
    newest_ms: int
    value_ms: int


class Watermark:
    """The watermark of one partition. `value_ms` never goes back.

    Call `tick` once before the first record and then about once a second: it bounds the value by
    the wall clock and moves it while the partition is idle. The wall clock matters only there;
    a replay of old records is driven by their event times.
    """

    __slots__ = ("_ceiling_ms", "_idle_ms", "_lateness_ms", "_max_ahead_ms", "_moved", "_newest_ms",
                 "_quiet_since_ms", "value_ms")  # fmt: skip

    def __init__(self, policy: DetectorsPolicy) -> None:
        self._lateness_ms = policy.allowed_lateness_ms
        self._max_ahead_ms = policy.max_ahead_ms
        self._idle_ms = policy.idle_ms
        self._newest_ms = START
        self._ceiling_ms: int | None = None
        self._quiet_since_ms: int | None = None
        self._moved = False
        self.value_ms = START

    def advance(self, event_time_ms: int, record_ms: int) -> None:
        """Takes a record's event time and its own time (that of the Kafka record) in."""
        if event_time_ms > record_ms + self._max_ahead_ms:
            event_time_ms = record_ms
        self._moved = True
        if event_time_ms > self._newest_ms:
            ceiling = self._ceiling_ms
            if ceiling is not None and event_time_ms > ceiling:
                event_time_ms = ceiling
                if event_time_ms <= self._newest_ms:
                    return
            self._newest_ms = event_time_ms
            value = event_time_ms - self._lateness_ms
            self.value_ms = max(self.value_ms, value)

    def tick(self, now_ms: int, *, unread: bool = False) -> None:
        """Tells the wall clock; moves the value when no record came for `idle_ms`. `unread`: more
        may be in the log, so that nothing came says nothing."""
        self._ceiling_ms = now_ms + SKEW_MS
        if unread or self._moved or self._quiet_since_ms is None or now_ms < self._quiet_since_ms:
            self._moved = False
            self._quiet_since_ms = now_ms
            return
        quiet = now_ms - self._quiet_since_ms
        if quiet >= self._idle_ms and self._newest_ms != START:
            newest = min(self._newest_ms + quiet, self._ceiling_ms)
            self.value_ms = max(self.value_ms, newest - self._lateness_ms)

    def save(self) -> bytes:
        """The watermark as bytes; what is known of the wall clock is not part of it."""
        return msgspec.msgpack.encode(_Saved(self._newest_ms, self.value_ms))

    @classmethod
    def load(cls, raw: bytes, policy: DetectorsPolicy) -> "Watermark":
        """The watermark that `save` wrote."""
        saved = msgspec.msgpack.decode(raw, type=_Saved)
        mark = cls(policy)
        mark._newest_ms = saved.newest_ms
        mark.value_ms = saved.value_ms
        return mark
