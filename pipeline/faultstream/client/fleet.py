"""One budget of probes over all instances of a service, for breakers that a command opened.

Each instance claims a probe by a result of the strategy `probe`. Results of an environment stand in
one partition, so everybody reads claims in the same order, and the first ones win: who won probes
when the breaker's time is over, the others stay open. What came of a probe is told the same
way. If it worked, the others are back under local control; if not, all stay open for as long and
claim again. Without news all are back under local control after PROBE_WAIT_MS, so a lost
connection or a dead winner can delay a probe but never close a breaker. What is not signed with a
key of the executor is not believed.

A thread of its own, from the first such command until the last one is over.
"""

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from faultstream.client import lifetime
from faultstream.client.breaker import BreakerState, CircuitBreaker
from faultstream.client.setting import Place
from faultstream.core.errors import DataError
from faultstream.core.ids import derive
from faultstream.core.records import RecoveryCommand, RecoveryResult, ResultStatus

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

    from faultstream.client.executor import Executor
    from faultstream.client.sender import Parcel, Sender

STRATEGY: Final = "probe"
PROBE_WAIT_MS: Final = 30_000
MAX_TOGETHER_MS: Final = 3_600_000
MAX_ROUNDS: Final = 1_000
_LOOK_S: Final = 0.05
_STOP_S: Final = 2.0

log = logging.getLogger("faultstream.client")


class _Round:
    """One breaker under one command. `number` grows when a probe failed."""

    def __init__(self, command: RecoveryCommand, breaker: CircuitBreaker, probes: int) -> None:
        self.command = command
        self.breaker = breaker
        self.probes = probes
        self.number = 0
        self.claims: list[str] = []
        self.won_at: int | None = None
        self.ends_at = time.monotonic() + MAX_TOGETHER_MS / 1_000
        self.untold: list[RecoveryResult] = []


class Fleet:
    """The breakers of one executor that are opened together with those of other instances."""

    def __init__(self, executor: "Executor") -> None:
        self._executor = executor
        self._place: Place = executor.place
        self._lock = threading.Lock()
        self._rounds: dict[tuple[str, str], _Round] = {}
        self._thread: threading.Thread | None = None
        self._stopping = False

    def join(self, command: RecoveryCommand, breaker: CircuitBreaker, probes: int) -> None:
        """From now on the breaker, which the command opened, probes within the fleet's budget."""
        if breaker.state is not BreakerState.OPEN or not self._executor.stats().ready:
            return
        breaker.stand_by(breaker.left_ms + PROBE_WAIT_MS)
        one = _Round(command, breaker, probes)
        with self._lock:
            if len(self._rounds) >= MAX_ROUNDS:
                return
            self._rounds[command.command_id, breaker.name] = one
            self._claim(one)
            if self._thread is None:
                lifetime.watch(self)
                self._thread = threading.Thread(
                    target=self._main, name="faultstream-fleet", daemon=True
                )
                self._thread.start()

    def after_fork(self) -> None:
        """A child process has its own breakers; nobody coordinates those that it inherited."""
        lifetime.abandon(self._thread)
        self._lock = threading.Lock()
        self._rounds = {}
        self._thread = None

    def at_exit(self) -> None:
        """The interpreter ends."""
        thread = self._thread
        self._stopping = True
        if thread is not None:
            thread.join(_STOP_S)

    def _claim(self, one: _Round) -> None:
        one.number += 1
        one.claims, one.won_at = [], None
        one.untold.append(self._told(one, "in_progress", self._executor.instance))

    def _told(self, one: _Round, status: ResultStatus, *more: str) -> RecoveryResult:
        now = self._executor.now_ms()
        about = derive("probe", one.command.command_id, one.breaker.name, one.number)
        executor = self._executor
        return RecoveryResult(
            result_id=derive("probe", about, executor.instance, status, *more),
            command_id=about,
            incident_id=f"probe/{one.command.command_id}",
            environment=executor.environment,
            service=executor.service,
            strategy=STRATEGY,
            executor=self._place.name,
            instance=executor.instance,
            status=status,
            started_at_ms=now,
            finished_at_ms=now,
            details={
                "command_id": one.command.command_id,
                "breaker": one.breaker.name,
                "round": one.number,
                "open_ms": one.breaker.left_ms if status == "failed" else 0,
            },
        )

    def _main(self) -> None:
        from faultstream.client.loop import Loop  # noqa: PLC0415 - half of the import time

        loop = Loop()
        try:
            loop.run_until_complete(self._run())
        except Exception:
            log.exception("probes are no longer shared with other instances")
        finally:
            with self._lock:
                if self._thread is threading.current_thread():  # else it is over as it should be
                    self._thread = None
                    self._rounds.clear()
                    lifetime.forget(self)
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

    async def _run(self) -> None:
        from faultstream.client.inbox import STAMP_SLACK_MS, Inbox  # noqa: PLC0415
        from faultstream.client.sender import Sender  # noqa: PLC0415

        place = self._place
        inbox: Inbox = Inbox(place.brokers, place.results_topic, place.client_id, place.kafka)
        sender: Sender = Sender(place.brokers, place.client_id, place.kafka, refused=_refused)
        since = self._executor.now_ms() - STAMP_SLACK_MS
        reading = asyncio.create_task(inbox.read_all(lambda: since, self._heard, what="probes"))
        try:
            while not self._done():
                await self._tell(sender)
                await asyncio.sleep(_LOOK_S)
        finally:
            reading.cancel()
            await asyncio.wait([reading], timeout=_STOP_S)
            await sender.close()

    def _done(self) -> bool:
        """Leave what is over to itself; whether nothing is left, or the executor was closed."""
        with self._lock:
            for key, one in list(self._rounds.items()):
                if self._over(one):
                    del self._rounds[key]
            if self._stopping or not self._executor.stats().ready:
                self._rounds.clear()
            if not self._rounds:
                self._thread = None
                lifetime.forget(self)
            return not self._rounds

    async def _tell(self, sender: "Sender") -> None:
        """Publish what waits; what Kafka does not take now waits on."""
        from faultstream import wire  # noqa: PLC0415 - import time
        from faultstream.client.sender import Parcel  # noqa: PLC0415

        with self._lock:
            waiting = [(one, told) for one in self._rounds.values() for told in one.untold]
        if not waiting or not await sender.connect():
            return
        parcels = []
        for one, told in waiting:
            value = wire.encode(told)
            headers = wire.headers(told, told.result_id, told.finished_at_ms)
            headers += self._place.seal.headers(value)
            key = told.environment.encode()
            parcels.append(
                Parcel(self._place.results_topic, key, value, headers, token=(one, told))
            )
        left = {id(parcel.token[1]) for parcel in await sender.deliver(parcels)}
        for one, told in waiting:
            if id(told) not in left:
                one.untold.remove(told)

    def _over(self, one: _Round) -> bool:
        """Look at a breaker, tell what came of its probe; whether it is out of our hands."""
        breaker = one.breaker
        if time.monotonic() > one.ends_at:
            return True
        state = breaker.state
        if one.won_at is None:
            return state is not BreakerState.OPEN and not one.untold
        if state is BreakerState.CLOSED:
            one.won_at = None
            one.untold.append(self._told(one, "success"))
        elif state is BreakerState.OPEN and breaker.period != one.won_at:
            one.untold.append(self._told(one, "failed"))
            one.won_at = None
            self._again(one, breaker.left_ms)
        return state not in {BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED}

    def _again(self, one: _Round, open_ms: int) -> None:
        """A probe failed: everybody waits and claims anew."""
        one.breaker.open_for(min(open_ms, MAX_TOGETHER_MS))
        one.breaker.stand_by(one.breaker.left_ms + PROBE_WAIT_MS)
        self._claim(one)

    async def _heard(self, record: "ConsumerRecord[bytes, bytes]") -> None:
        from faultstream import wire  # noqa: PLC0415 - import time

        if record.value is None or b'"probe"' not in record.value:
            return
        try:
            told = wire.decode(RecoveryResult, record.value)
            where = (str(told.details["command_id"]), str(told.details["breaker"]))
            number, open_ms = int(told.details["round"]), int(told.details["open_ms"])
        except (DataError, KeyError, TypeError, ValueError):
            return
        if not self._place.seal.holds(record.value, record.headers):
            return
        mine = (self._executor.environment, self._executor.service)
        if told.strategy != STRATEGY or (told.environment, told.service) != mine:
            return
        with self._lock:
            one = self._rounds.get(where)
            if one is not None and number == one.number:
                self._take(one, told, open_ms)

    def _take(self, one: _Round, told: RecoveryResult, open_ms: int) -> None:
        """News of the present round."""
        breaker, me = one.breaker, self._executor.instance
        if told.status == "in_progress":
            if told.instance in one.claims or len(one.claims) >= one.probes:
                return
            one.claims.append(told.instance)
            if told.instance == me and breaker.state is BreakerState.OPEN:
                one.won_at = breaker.period
                breaker.grant(1)
        elif told.instance == me or told.instance not in one.claims:
            return
        elif told.status == "success" and one.won_at is None:
            breaker.grant(MAX_ROUNDS)  # the breaker's own number of probes: local control is back
            one.ends_at = 0.0
        elif told.status == "failed" and one.won_at is None:
            self._again(one, open_ms)


def _refused(_: "Parcel", reason: str) -> None:
    log.warning("Kafka refused the claim of a probe: %s", reason)
