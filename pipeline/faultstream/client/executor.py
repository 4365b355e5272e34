"""Executor: carries out the recovery commands that are meant for this service.

At most once per command and instance, also across restarts when it has a journal; results are
published at least once, always with the same ids. Commands that are not signed by a known key, are
expired, replayed or meant for others are refused (see admission).

More than 300 lines because it is what users read, and most of it is its docstrings.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import msgspec

from faultstream.client import checks, lifetime
from faultstream.client.brokers import DEFAULT_BROKERS, addresses
from faultstream.client.handler import Handler, Registered
from faultstream.client.setting import Counts, Place, Setting
from faultstream.core.event import DEFAULT_ENVIRONMENT
from faultstream.core.records import Delivery

if TYPE_CHECKING:
    from faultstream.client.sender import Parcel
    from faultstream.client.shift import Shift

DEFAULT_COMMANDS: Final = "faultstream.recovery.commands.v1"
DEFAULT_RESULTS: Final = "faultstream.recovery.results.v1"
NAME: Final = "faultstream-client"
EXACTLY_ONE: Final = frozenset({"resource_scale", "service_restart"})
"""Strategies that one executor of a service carries out for all, unless told otherwise."""
log = logging.getLogger("faultstream.client")


H = TypeVar("H", bound=Handler)


class ExecutorStats(msgspec.Struct, frozen=True, kw_only=True):
    """Commands since the start of this process. `refused` by reason (see admission)."""

    carried_out: int
    running: int
    refused: dict[str, int]
    untold: int
    """Results that Kafka does not have yet."""
    ready: bool
    """Whether commands are being read."""


class Executor:
    """See the module. Register handlers, then `start()` (own thread) or `await run()`.

    Handlers of one strategy run one after the other, at most `concurrency` in all. Synchronous
    ones run in threads. One that takes longer than `handler_timeout_s` is failed; a synchronous
    one goes on in its thread, which cannot be ended from outside.
    """

    def __init__(
        self,
        service: str,
        *,
        keys: Mapping[str, bytes] | None = None,
        brokers: str | None = None,
        environment: str = DEFAULT_ENVIRONMENT,
        instance: str = "",
        journal: Path | str | None = None,
        commands_topic: str = DEFAULT_COMMANDS,
        results_topic: str = DEFAULT_RESULTS,
        name: str = NAME,
        concurrency: int = 4,
        handler_timeout_s: float = 30.0,
        max_ttl_ms: int = 900_000,
        skew_ms: int = 5_000,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        kafka: Mapping[str, Any] | None = None,
    ) -> None:
        """Make an executor; opens nothing yet.

        `keys` are signing keys of at least 16 bytes by key id, the first one signs results; None
        reads FAULTSTREAM_SIGNING_KEY, FAULTSTREAM_SIGNING_KEY_ID (default k1) and, for keys that
        only verify, FAULTSTREAM_SIGNING_KEYS_ACCEPTED (`id=key[,id=key]`). `instance` must
        differ between instances and stay the same across restarts; default is the host's name.
        Commands that live longer than `max_ttl_ms`, or claim to be issued more than `skew_ms` from
        now, are rejected.

        Raises:
            TypeError: something of another kind.
            ValueError: no service, no usable key, brokers that are no addresses, or a bound below
                its least.
        """
        from faultstream.client.admission import Admission  # noqa: PLC0415 - import time
        from faultstream.client.journal import Journal  # noqa: PLC0415 - import time
        from faultstream.client.seal import Seal, keys_from_environment  # noqa: PLC0415

        checks.service(service)
        checks.text("environment", environment, needed=True)
        for label, text in (("instance", instance), ("name", name)):
            checks.text(label, text)
        checks.topic("commands_topic", commands_topic)
        checks.topic("results_topic", results_topic)
        checks.path("journal", journal)
        checks.function("clock_ms", clock_ms)
        checks.settings("kafka", kafka)
        checks.number("concurrency", concurrency, 1, whole=True)
        checks.number("handler_timeout_s", handler_timeout_s, 0, above=True)
        checks.number("max_ttl_ms", max_ttl_ms, 1)
        checks.number("skew_ms", skew_ms, 0)
        self.service = service
        self.environment = environment
        self.instance = instance or os.uname().nodename
        keys = keys_from_environment() if keys is None else keys
        checks.keys(keys)
        self._setting = Setting(
            service=service,
            environment=environment,
            instance=self.instance,
            name=name,
            commands_topic=commands_topic,
            results_topic=results_topic,
            concurrency=concurrency,
            handler_timeout_s=handler_timeout_s,
            max_ttl_ms=max_ttl_ms,
            clock_ms=clock_ms,
            seal=Seal(keys),
        )
        self._admission = Admission(
            environment=environment,
            service=service,
            instance=self.instance,
            keys=keys,
            max_ttl_ms=max_ttl_ms,
            skew_ms=skew_ms,
        )
        self._brokers = brokers or os.environ.get("FAULTSTREAM_KAFKA") or DEFAULT_BROKERS
        addresses(self._brokers)
        self._kafka = dict(kafka or {})
        self._client_id = f"faultstream-{service}-{self.instance}"
        self._journal_path = Path(journal) if journal is not None else None
        self._journal = Journal(self._journal_path)
        self._handlers: dict[str, Registered] = {}
        self._counts = Counts()
        self._shift: Shift | None = None
        self._thread: threading.Thread | None = None

    def handles(
        self, strategy: str, *, delivery: Delivery | None = None, undoes: bool = False
    ) -> Callable[[H], H]:
        """Decorate the handler of a strategy: `(command) -> Outcome | None`, sync or async.

        None means success, raising means failed. `delivery` exactly_one: of all executors of the
        service that handle it, one carries a command out; broadcast: each. The default is
        exactly_one for resource_scale and service_restart, else broadcast. `undoes`: a command with
        `rollback_of` is taken back by the handler; without it such a command for a built-in
        strategy is not attempted, so that nothing is done twice in the place of undone.

        Raises:
            TypeError: no name of a strategy, or no function of one argument.
            ValueError: the strategy has a handler, or the executor runs already; another delivery.
        """
        if not isinstance(strategy, str):
            raise TypeError(
                "handles: expected the name of a strategy, "
                f"as in @executor.handles('cache_clear'), got {strategy!r}"
            )
        if delivery not in {None, "broadcast", "exactly_one"}:
            raise ValueError(f"delivery: expected broadcast or exactly_one, got {delivery!r}")

        def register(handler: H) -> H:
            checks.handler(strategy, handler)
            if strategy in self._handlers:
                raise ValueError(f"{strategy} has a handler already")
            if self._shift is not None:
                raise ValueError("register handlers before the executor is started")
            chosen = delivery or ("exactly_one" if strategy in EXACTLY_ONE else "broadcast")
            self._handlers[strategy] = Registered(handler, chosen, undoes)
            return handler

        return register

    def start(self) -> None:
        """Carry commands out in a daemon thread of its own, until `close`.

        Raises:
            JournalInUseError: another process uses the journal.
            RuntimeError: it runs already.
        """
        if self._shift is not None:
            raise RuntimeError("the executor runs already")
        shift = self._prepare()
        import asyncio  # noqa: PLC0415 - half of the import time

        from faultstream.client.loop import Loop  # noqa: PLC0415 - half of the import time

        loop = Loop()

        def main() -> None:
            try:
                loop.run_until_complete(shift.main())
            except Exception:
                log.exception("the executor ended")
            finally:
                loop.run_until_complete(asyncio.sleep(0))  # connections take a turn to close
                loop.close()

        self._thread = threading.Thread(target=main, name="faultstream-executor", daemon=True)
        self._thread.start()
        lifetime.watch(self)
        lifetime.started()

    async def run(self) -> None:
        """Carry commands out in this event loop, until cancelled or `close`.

        Raises:
            JournalInUseError: another process uses the journal.
            RuntimeError: it runs already.
        """
        if self._shift is not None:
            raise RuntimeError("the executor runs already")
        shift = self._prepare()
        try:
            await shift.main()
        finally:
            self._end()

    def close(self, timeout_s: float = 5.0) -> None:
        """Take no more commands, let running handlers finish and tell their results. Repeatable.

        What is not done after `timeout_s` is cancelled; it is told as failed at the next start.
        For an executor that runs by `run()` see `stop`.
        """
        shift, thread = self._shift, self._thread
        if shift is None or thread is None:
            return
        shift.stop(timeout_s)
        thread.join(timeout_s + 2.0)
        self._thread = None
        self._end()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Have `run()` return: no more commands, what runs has `timeout_s`. From any thread."""
        if self._shift is not None:
            self._shift.stop(timeout_s)

    @property
    def place(self) -> Place:
        """Where it reads and writes, for what works beside it."""
        setting = self._setting
        return Place(
            self._brokers,
            setting.results_topic,
            self._client_id,
            setting.name,
            self._kafka,
            setting.seal,
        )

    def now_ms(self) -> int:
        """The executor's clock, by which commands expire."""
        return self._setting.clock_ms()

    def stats(self) -> ExecutorStats:
        """Counters and state."""
        shift = self._shift
        return ExecutorStats(
            carried_out=self._counts.carried_out,
            running=self._counts.running,
            refused=dict(self._counts.refused),
            untold=len(self._journal.untold()),
            ready=shift is not None and shift.ready,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def after_fork(self) -> None:
        """A child process carries nothing out unless it starts its own."""
        lifetime.abandon((self._thread, self._shift))
        self._journal.close()
        self._journal = type(self._journal)(self._journal_path)
        self._thread = None
        self._shift = None

    def at_exit(self) -> None:
        """The interpreter ends."""
        self.close(2.0)

    def _prepare(self) -> "Shift":
        from faultstream.client.inbox import Inbox  # noqa: PLC0415 - half of the import time
        from faultstream.client.sender import Sender  # noqa: PLC0415
        from faultstream.client.shift import Shift  # noqa: PLC0415
        from faultstream.client.teller import Teller  # noqa: PLC0415

        self._journal.open(self._setting.clock_ms())
        setting = self._setting

        def make_sender(refused: "Callable[[Parcel, str], None]") -> Sender:
            return Sender(self._brokers, self._client_id, self._kafka, refused=refused)

        inbox = Inbox(self._brokers, setting.commands_topic, self._client_id, self._kafka)
        self._shift = Shift(
            setting,
            self._admission,
            self._handlers,
            journal=self._journal,
            inbox=inbox,
            teller=Teller(setting, self._journal, make_sender),
            counts=self._counts,
        )
        return self._shift

    def _end(self) -> None:
        lifetime.forget(self)
        self._shift = None
        self._journal.close()
