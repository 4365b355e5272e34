"""Posting: publishes what was admitted, once, however often a client sends it."""

from collections.abc import Sequence

from faultstream.core.ids import event_id
from faultstream.gateway.admission import Admitted
from faultstream.gateway.publisher import Batch, Publisher
from faultstream.gateway.seen import Seen, key


class Posting:
    """See the module; how far back it remembers is said by Seen."""

    def __init__(self, publisher: Publisher, *, wait_s: float) -> None:
        self._publisher = publisher
        self._wait_s = wait_s
        self._seen = Seen()

    async def post(self, records: Sequence[Admitted]) -> int:
        """Return when Kafka has all of them, each with its id; how many it had before.

        Raises:
            AwayError, FullError, ProblemError: as `Publisher.publish`.
        """
        fresh: list[Admitted] = []
        names: dict[bytes, None] = {}
        under_way: dict[Batch, None] = {}
        for one in records:
            name = key(one.environment, one.service, one.event_id) if one.stable else b""
            if name and name in self._seen:
                if (batch := self._seen.batch(name)) is not None:
                    under_way[batch] = None
            elif not name or name not in names:
                fresh.append(one)
                if name:
                    names[name] = None
        if fresh:
            await self._publish(fresh, names)
        for batch in under_way:
            await self._publisher.wait(batch, wait_s=self._wait_s)
        return len(records) - len(fresh)

    async def _publish(self, fresh: Sequence[Admitted], names: dict[bytes, None]) -> None:
        batch = Batch([one.parcel for one in fresh])
        self._seen.begin(names, batch)
        try:
            await self._publisher.publish(batch, wait_s=self._wait_s)
        except BaseException:
            if not batch.taken:
                batch.told.set_result(None)
            raise
        topic = self._publisher.topic
        for one, place in zip(fresh, batch.places, strict=True):
            if place is not None and not one.event_id:
                one.event_id = event_id(topic, place.partition, place.offset)
