"""Confession: an event that tells of errors which were dropped, once Kafka is there again."""

import time
from collections.abc import Callable
from typing import Final

from faultstream.client import parcel
from faultstream.client.outbox import Entry, Outbox
from faultstream.client.own import FILTERED
from faultstream.client.sender import Sender
from faultstream.core.event import ErrorEvent

EVERY_S: Final = 60.0


class Confession:
    """Numbers by reason since the last time, at most once in EVERY_S; told again until it is there.

    `make` makes the event; it stands for itself, not for them.
    """

    def __init__(
        self,
        outbox: Outbox,
        make: Callable[[dict[str, int]], ErrorEvent],
        *,
        topic: str,
        emails: bool,
    ) -> None:
        self._outbox = outbox
        self._make = make
        self._topic = topic
        self._emails = emails
        self._told: dict[str, int] = {}
        self._next_at = 0.0

    async def tell(self, sender: Sender, *, hurry: bool) -> None:
        """Tell what is new; with `hurry` also before it is time."""
        dropped = {why: many for why, many in self._outbox.dropped.items() if why != FILTERED}
        if dropped == self._told:
            return
        now = time.monotonic()
        if now < self._next_at and not hurry:
            return
        self._next_at = now + EVERY_S
        news = {why: many - self._told.get(why, 0) for why, many in dropped.items()}
        entry = Entry(self._make({why: many for why, many in news.items() if many}))
        if parcel.encode(entry, emails=self._emails):
            told = parcel.parcel(entry, self._topic)._replace(token=None)
            if not await sender.deliver([told]):
                self._told = dropped
