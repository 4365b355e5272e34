"""Delivery: what a reporter took in, on its way out: an outbox, a thread, a spool.

All of it is made anew in a forked child, and the thread with the first event.
"""

import logging
import threading
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from faultstream.client import lifetime
from faultstream.client.outbox import Entry, Outbox
from faultstream.client.own import FILTERED
from faultstream.core.event import ErrorEvent

if TYPE_CHECKING:
    from pathlib import Path

    from faultstream.client.courier import Courier
    from faultstream.client.sampler import Sampler
    from faultstream.client.sender import Sender
    from faultstream.client.spool import Spool
    from faultstream.core.sampling import Sample

CONTROL_POLL_MS: Final = 5_000

log = logging.getLogger("faultstream.client")


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """Errors (not events) by where they are: reported = sent + spooled + waiting + all dropped.

    `folded` of them went into the event of another one; `recovered` came out of the spool from
    a process that is gone and are not in `reported`. `retried` are events. `dropped` by reason:
    full, unencodable, too_large, refused (by Kafka), unreadable, reentrant, broken, closed, unsent
    (at close), no_thread, filtered (by `ignore` or `before_send`), before_send (which failed).
    """

    reported: int
    sent: int
    folded: int
    waiting: int
    spooled: int
    recovered: int
    retried: int
    dropped: dict[str, int]
    connected: bool


class Route(NamedTuple):
    """Where events go, and what bounds them; see Reporter. No control topic: no sampling."""

    brokers: str
    topic: str
    control_topic: str
    service: str
    environment: str
    limits: tuple[int, int, int]
    """Records, bytes, milliseconds of folding."""
    spool: "Path | str | None"
    max_spool_bytes: int
    emails: bool
    kafka: Mapping[str, Any]


class Delivery:
    """See the module. Safe for threads."""

    def __init__(self, route: Route, confession: Callable[[dict[str, int]], ErrorEvent]) -> None:
        """`confession` makes the event that tells of errors that were dropped, by reason."""
        self._route = route
        self._confession = confession
        self._courier: Courier | None = None
        self._sampler: Sampler | None = None
        self._spool: Spool | None = None
        self.after_fork()

    @property
    def in_thread(self) -> bool:
        """Whether this is the thread that delivers."""
        courier = self._courier
        return courier is not None and courier.ident == threading.get_ident()

    def add(self, key: Hashable, entry: Entry) -> bool:
        """Take an event in, see Outbox, and have it delivered soon; False when it was dropped."""
        if not self.outbox.add(key, entry):
            return False
        courier = self._courier
        if courier is None or not courier.alive:
            courier = self._start()
        if courier is not None:
            courier.wake()
        return True

    def flush(self, timeout_s: float) -> bool:
        """Send or spool what waits, now; False when that took longer, or in the thread itself."""
        courier = self._courier
        if courier is None or courier.ident == threading.get_ident():
            return self.outbox.empty
        self.outbox.release(everything=True)
        courier.wake(hurry=True)
        return self.outbox.wait(timeout_s)

    def close(self, timeout_s: float) -> None:
        """Send what can be sent in time, spool or drop the rest, and end the thread."""
        courier = self._courier
        if courier is not None:
            courier.stop(timeout_s)
        self.outbox.recall()
        if courier is not None and self._spool is not None:
            courier.store_all()
        self._drop_all("unsent")
        self.outbox.count_refused()
        if self._spool is not None:
            self._spool.seal()
        lost = {why: many for why, many in self.outbox.dropped.items() if why != FILTERED}
        if lost:
            log.warning("errors that were not reported, by reason: %s", lost)

    def stats(self) -> Stats:
        """Counters of now."""
        box, courier = self.outbox, self._courier
        box.count_refused()
        return Stats(
            reported=box.reported,
            sent=box.sent,
            folded=box.folded,
            waiting=box.waiting,
            spooled=box.spooled,
            recovered=box.recovered,
            retried=box.retried,
            dropped=dict(box.dropped),
            connected=courier is not None and courier.connected,
        )

    def sampling(self) -> "list[Sample]":
        """The sampling rules in force."""
        return self._sampler.rules if self._sampler is not None else []

    def _start(self) -> "Courier | None":
        with self._starting:
            if self._courier is not None and self._courier.alive:
                return self._courier
            courier = self._make_courier()
            try:
                courier.start()
            except RuntimeError:  # no new threads while the interpreter ends
                self._drop_all("no_thread")
                return None
            self._courier = courier
            lifetime.started()
            return courier

    def _make_courier(self) -> "Courier":
        from faultstream.client.confession import Confession  # noqa: PLC0415
        from faultstream.client.courier import Courier  # noqa: PLC0415 - half of the import time
        from faultstream.client.inbox import Inbox  # noqa: PLC0415
        from faultstream.client.parcel import fingerprint  # noqa: PLC0415
        from faultstream.client.sampler import Sampler  # noqa: PLC0415

        controls = None
        if self._route.control_topic:
            secure = {
                name: value
                for name, value in self._route.kafka.items()
                if name.startswith(("security_", "ssl_", "sasl_"))
            }
            controls = Inbox(
                self._route.brokers,
                self._route.control_topic,
                f"faultstream-{self._route.service}",
                secure,
                poll_ms=CONTROL_POLL_MS,
            )
        self._sampler = Sampler(
            self._route.environment,
            self.outbox,
            fingerprint=lambda entry: fingerprint(entry, emails=self._route.emails),
        )
        return Courier(
            self.outbox,
            self._sender,
            self._spool,
            topic=self._route.topic,
            emails=self._route.emails,
            controls=controls,
            sampler=self._sampler,
            confession=Confession(
                self.outbox, self._confession, topic=self._route.topic, emails=self._route.emails
            ),
        )

    def _drop_all(self, reason: str) -> None:
        while entries := self.outbox.take(500):
            self.outbox.drop(entries, reason)

    def _sender(self, refused: Any) -> "Sender":
        from faultstream.client.sender import Sender  # noqa: PLC0415 - half of the import time

        client_id = f"faultstream-{self._route.service}"
        return Sender(self._route.brokers, client_id, self._route.kafka, refused=refused)

    def after_fork(self) -> None:
        """A new life: nothing of the parent is kept, sent or counted here."""
        lifetime.abandon((self._courier, self._spool))
        if self._spool is not None:
            self._spool.seal()
        if self._route.spool is not None:
            from pathlib import Path  # noqa: PLC0415 - import time

            from faultstream.client.spool import Spool  # noqa: PLC0415 - import time

            folder = Path(self._route.spool)
            self._spool = Spool(folder, self._route.service, self._route.max_spool_bytes)
        self.outbox = Outbox(*self._route.limits)
        self._starting = threading.Lock()
        self._courier = None
        self._sampler = None
