"""Seen: ids that were published lately, so that what a client sends again is no second event."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from faultstream.gateway.publisher import Batch

MOST: Final = 100_000


def key(environment: str, service: str, event_id: str) -> bytes:
    """What an id is remembered as: ids are of a service."""
    text = f"{environment}\x1f{service}\x1f{event_id.lower()}"
    return blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()


class Seen:
    """The last MOST ids: on their way (with their batch), or stored (None). In memory alone: after
    a restart, or at another gateway, it is not known."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: dict[bytes, Batch | None] = {}

    def __contains__(self, one: bytes) -> bool:
        return one in self._known

    def batch(self, one: bytes) -> Batch | None:
        """The batch that it is on its way with; None when it is stored, or not known."""
        return self._known.get(one)

    def begin(self, ids: Iterable[bytes], batch: Batch) -> None:
        """These are on their way; what became of them is seen from the batch."""
        mine = list(ids)
        for one in mine:
            self._known[one] = batch
        while len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        batch.told.add_done_callback(lambda _: self._end(mine, batch))

    def _end(self, ids: list[bytes], batch: Batch) -> None:
        stored = batch.stored
        for one in ids:
            if self._known.get(one) is batch:
                if stored:
                    self._known[one] = None
                else:
                    del self._known[one]
