"""Dead letters: what they carry, and when there are too many of them.

The value, key, headers and timestamp of the original are kept; headers say where it was, who
refused it and why. Which worker writes them: detect for errors, respond for patterns and
results, notify for notifications, each the first in line. May repeat after a crash; the original
place identifies them.
"""

from collections import deque
from typing import Final

from faultstream import wire
from faultstream.core.policy import DeadLetterPolicy
from faultstream.stream.stage import Header, Refusal, Source

MAX_REASON_CHARS: Final = 1_000
PREFIX: Final = "x-faultstream-"


class LimitReachedError(RuntimeError):
    """So many records were refused that the input is wrong as a whole, or we are."""


def headers(refusal: Refusal, source: Source, group: str, now_ms: int) -> list[Header]:
    """The headers of the original, and ours after them. Of a replayed letter that is refused
    again, the time of the first refusal is kept and the attempts are counted on."""
    record = refusal.record
    now = wire.rfc3339(now_ms)
    before = {
        name.removeprefix(PREFIX): (value or b"").decode("utf-8", "replace")
        for name, value in record.headers or ()
        if name.startswith(PREFIX)
    }
    attempts = before.get("attempt", "")
    ours = {
        "original-topic": source.topic,
        "original-partition": str(source.partition),
        "original-offset": str(record.offset),
        "original-timestamp": str(record.timestamp),
        "consumer-group": group,
        "stage": refusal.stage,
        "error-type": refusal.error_type,
        "error-message": refusal.reason[:MAX_REASON_CHARS],
        "attempt": str(1 + (int(attempts) if attempts.isdecimal() else 0)),
        "first-failed-at": before.get("first-failed-at") or now,
        "last-failed-at": now,
    }
    kept = [
        (name, value or b"") for name, value in record.headers or () if not name.startswith(PREFIX)
    ]
    return kept + [(PREFIX + name, text.encode("utf-8", "replace")) for name, text in ours.items()]


class Limits:
    """Counts refusals per partition against the policy. Bounded by `ratio_over` flags each."""

    def __init__(self, policy: DeadLetterPolicy) -> None:
        self._policy = policy
        self._latest: dict[Source, deque[tuple[int, int]]] = {}
        self._sums: dict[Source, list[int]] = {}
        self._row: dict[Source, int] = {}

    def count(self, source: Source, size: int, refused: int, trailing: int) -> None:
        """A run of `size` records of which `refused` were refused, `trailing` of them at its end.

        Raises:
            LimitReachedError: too many in a row, or too large a share of the latest records.
        """
        row = self._row.get(source, 0) + refused if refused == size else trailing
        self._row[source] = row
        if row >= self._policy.max_consecutive:
            raise LimitReachedError(
                f"{source.topic}[{source.partition}]: the last {row} records were all refused "
                f"(dead_letters.max_consecutive is {self._policy.max_consecutive})"
            )
        runs = self._latest.setdefault(source, deque())
        sums = self._sums.setdefault(source, [0, 0])
        runs.append((size, refused))
        sums[0] += size
        sums[1] += refused
        while sums[0] - runs[0][0] >= self._policy.ratio_over:
            old_size, old_refused = runs.popleft()
            sums[0] -= old_size
            sums[1] -= old_refused
        if sums[0] >= self._policy.ratio_over and sums[1] > self._policy.max_ratio * sums[0]:
            raise LimitReachedError(
                f"{source.topic}[{source.partition}]: {sums[1]} of the last {sums[0]} records "
                f"were refused (dead_letters.max_ratio is {self._policy.max_ratio:g})"
            )
