"""Reporter: errors of one service, on their way to Kafka without the application noticing.

The one class that users read; how events get away is in delivery.py. More than 300 lines because
a third of them is its docstrings.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar, Unpack, overload

from faultstream.client import checks, lifetime
from faultstream.client.about import about, own_id, remember
from faultstream.client.brokers import DEFAULT_BROKERS, addresses
from faultstream.client.capture import Capture, mark
from faultstream.client.checks import Exceptions
from faultstream.client.contexts import current
from faultstream.client.delivery import Delivery, Route, Stats
from faultstream.client.detail import add, count_of, text_of, warn
from faultstream.client.event import Details, Origin, build, see
from faultstream.client.logs import ReportHandler
from faultstream.client.outbox import Entry
from faultstream.client.own import FILTERED, BeforeSend, own
from faultstream.client.uuid7 import uuid7
from faultstream.core.event import DEFAULT_ENVIRONMENT, MAX_COUNT, ErrorEvent

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from faultstream.client.hooks import Hooks
    from faultstream.core.sampling import Sample

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_TOPIC: Final = "faultstream.errors.v1"
DEFAULT_CONTROL: Final = "faultstream.control.v1"
DROPPED: Final = "faultstream.ErrorsDropped"
"""Type of the event that tells of errors that were dropped."""


class Reporter:
    """Reports errors of a service. Never blocks, never raises, needs no Kafka to start with.

    Errors may be reported from any thread, task or process after a fork. The first one starts a
    daemon thread. What waits when the interpreter ends is sent within `exit_flush_s`; a process
    that ends by os._exit or a signal must call `flush` before.
    """

    def __init__(
        self,
        service: str,
        *,
        brokers: str | None = None,
        environment: str = DEFAULT_ENVIRONMENT,
        layer: str = "",
        instance: str = "",
        release: str = "",
        topic: str = DEFAULT_TOPIC,
        control_topic: str = DEFAULT_CONTROL,
        sampling: bool = True,
        max_records: int = 10_000,
        max_bytes: int = 16 * 1024 * 1024,
        fold_ms: int = 250,
        spool: "Path | str | None" = None,
        max_spool_bytes: int = 64 * 1024 * 1024,
        scrub_emails: bool = True,
        exit_flush_s: float = 2.0,
        tags: Mapping[str, object] | None = None,
        ignore: Exceptions = (),
        before_send: BeforeSend | None = None,
        kafka: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a reporter; opens nothing yet.

        `brokers` is host:port[,host:port]; None reads FAULTSTREAM_KAFKA, else 127.0.0.1:9092. Past
        `max_records` events or about `max_bytes` waiting, new errors are dropped and counted.
        Identical errors within `fold_ms` become one event with a count; 0 turns that off.
        `spool` is a folder for events while Kafka is away, of at most `max_spool_bytes`.
        With `sampling` it reads `control_topic` from its first contact with Kafka on, and obeys
        the rates that are set there (`faultstream sample`); counts stay exact.
        `tags` are those of every error; an error's own win. `ignore` names exceptions that are
        not reported (a group is ignored if all of its members are). `before_send` gets each event
        before it is scrubbed, in the thread that reports, once for errors that are folded; it may
        change the event, or return None to have it left out. Should it raise, the event is dropped.
        `kafka` are further settings for aiokafka, such as security_protocol.

        Raises:
            TypeError: something of another kind.
            ValueError: no service, brokers that are no addresses, or a bound below its least.
        """
        checks.service(service)
        checks.text("environment", environment, needed=True)
        for label, text in (("layer", layer), ("instance", instance), ("release", release)):
            checks.text(label, text)
        checks.topic("topic", topic)
        checks.topic("control_topic", control_topic)
        checks.path("spool", spool)
        checks.settings("kafka", kafka)
        for label, given, low in (
            ("max_records", max_records, 1),
            ("max_bytes", max_bytes, 1),
            ("fold_ms", fold_ms, 0),
            ("max_spool_bytes", max_spool_bytes, 0),
            ("exit_flush_s", exit_flush_s, 0),
        ):
            checks.number(label, given, low)
        self.service = service
        self.environment = environment
        brokers = brokers or os.environ.get("FAULTSTREAM_KAFKA") or DEFAULT_BROKERS
        addresses(brokers)
        host = os.uname().nodename
        self._origin = Origin(service, environment, layer, host, instance, release)
        self.exit_flush_s = exit_flush_s
        self._closed = False
        route = Route(
            brokers=brokers,
            topic=topic,
            control_topic=control_topic if sampling else "",
            service=service,
            environment=environment,
            limits=(max_records, max_bytes, fold_ms),
            spool=spool,
            max_spool_bytes=max_spool_bytes,
            emails=scrub_emails,
            kafka=dict(kafka or {}),
        )
        self._delivery = Delivery(route, self._confession)
        self._local = threading.local()
        self._own = own(tags, ignore, before_send)
        lifetime.watch(self)

    def report(
        self,
        error: BaseException | str,
        message: str = "",
        **details: Unpack[Details],
    ) -> str:
        """Report an exception, or an error by the name of its type.

        Returns the id of the event that carries it (shared by errors that were folded into one);
        empty when it was dropped, which `stats` counts. `message` wins over the exception's own.
        `handled` is True unless said otherwise. Locals are never read.
        """
        if getattr(self._local, "busy", False):
            self._delivery.outbox.refuse("reentrant")
            return ""
        self._local.busy = True
        try:
            return self._report(error, message, details)
        except Exception as exc:  # noqa: BLE001 - reporting must never hurt the application
            self._delivery.outbox.refuse("broken")
            warn(type(exc).__name__, f"it is lost: {type(exc).__name__}: {text_of(exc)}")
            return ""
        finally:
            self._local.busy = False

    def _report(self, error: BaseException | str, message: str, details: Details) -> str:
        if self._delivery.in_thread or self._refused(error, details):
            return ""
        known = current()
        if isinstance(error, BaseException):
            mark(error)
            add(known, about(error))
        if known:
            if "trace_id" in details and "traceparent" not in details:
                known.pop("traceparent", None)
            add(known, details)
            details = known
        count = count_of(details["count"], MAX_COUNT) if "count" in details else 1
        seen = see(error, message, details)
        key = seen.key()
        event_id = self._delivery.outbox.fold(key, count)
        if not event_id:
            made = build(self._origin, seen, count)
            if isinstance(error, BaseException):
                made.event_id = own_id(error) or made.event_id
            event, why_not = self._own.applied(made)
            if event is None:
                self._delivery.outbox.refuse(why_not, count)
                return ""
            if not self._delivery.add(key, Entry(event, text_of(details.get("traceparent") or ""))):
                return ""
            event_id = event.event_id
        if isinstance(error, BaseException):
            remember(error, event_id)
        return event_id

    def _refused(self, error: object, details: Details) -> bool:
        """Whether it is not taken in at all; counted."""
        ignored = self._own.ignores(error)
        if not (self._closed or ignored):
            return False
        if isinstance(error, BaseException):
            mark(error)
        count = count_of(details.get("count", 1), MAX_COUNT)
        self._delivery.outbox.refuse(FILTERED if ignored else "closed", count)
        return True

    def forward(self, event: ErrorEvent) -> str:
        """Report an event that was made elsewhere, such as from a line of a log; never folded.

        It keeps its service, time and id (an id is made when it has none) and belongs to the
        reporter from here on. Returns its id; empty when it was dropped, which `stats` counts.
        """
        if self._closed:
            self._delivery.outbox.refuse("closed", event.count)
            return ""
        event.event_id = event.event_id or uuid7()
        if event.time is None:
            event.time = time.time_ns() // 1_000_000
        return event.event_id if self._delivery.add(event.event_id, Entry(event)) else ""

    @overload
    def capture(self, decorated: Callable[P, R], /) -> Callable[P, R]: ...

    @overload
    def capture(self, *, swallow: bool = False, **details: Unpack[Details]) -> Capture: ...

    def capture(  # type: ignore[misc]  # mypy does not see that Unpack takes what Unpack gives
        self,
        decorated: Any = None,
        /,
        *,
        swallow: bool = False,
        **details: Unpack[Details],
    ) -> Any:
        """A decorator and context manager, sync and async, that reports what passes through.

        `handled` is what `swallow` is, unless said otherwise; see Capture. As a decorator it may
        stand without parentheses.

        Raises:
            TypeError: what is decorated is no function.
        """

        def passed(exc: BaseException, function: str) -> None:
            known: Details = {"handled": swallow, "function": function, **details}
            self.report(exc, **known)

        made = Capture(passed, swallow=swallow)
        return made if decorated is None else made(decorated)

    def install(self, loop: "asyncio.AbstractEventLoop | None" = None) -> "Hooks":
        """Report what nobody catches: in the main thread, in other threads, in the event loop.

        `loop` is by default the one that runs here, if any; `watch` of the result adds others.
        What was hooked in before is called as well. Ends with `uninstall` or as a context.

        Raises:
            TypeError: no event loop.
        """
        from faultstream.client.hooks import Hooks  # noqa: PLC0415 - import time

        def report(error: BaseException | str, message: str, source: str) -> None:
            self.report(error, message, handled=False, tags={"hook": source})

        if loop is not None and not hasattr(loop, "get_exception_handler"):
            raise TypeError(f"loop: expected an event loop, got {loop!r}")
        hooks = Hooks(report)
        if loop is None:
            library: Any = sys.modules.get("asyncio")
            with contextlib.suppress(RuntimeError, AttributeError):  # none runs, or half loaded
                loop = library.get_running_loop()
        if loop is not None:
            hooks.watch(loop)
        return hooks

    def logging_handler(self, level: int = logging.ERROR) -> logging.Handler:
        """A handler for the logging module that reports records at `level` and above."""
        return ReportHandler(self, level)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Send what waits, now, or have it in the spool; blocks.

        False when it took longer, or in the reporter's thread.

        Raises:
            TypeError: no number of seconds.
            ValueError: a negative one.
        """
        checks.number("timeout_s", timeout_s, 0)
        return self._delivery.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what can be sent in time, spool or drop the rest, and end the thread. Repeatable.

        Blocks; `async with` does it beside the event loop.
        """
        if self._closed:
            return
        self._closed = True
        lifetime.forget(self)
        self._delivery.close(timeout_s)

    def stats(self) -> Stats:
        """Counters since the start of this process (a fork starts at zero)."""
        return self._delivery.stats()

    def sampling(self) -> "list[Sample]":
        """The sampling rules in force, as they came from the control topic."""
        return self._delivery.sampling()

    def refuse(self, reason: str) -> None:
        """Count an error that could not even be read; for handlers and middleware."""
        self._delivery.outbox.refuse(reason)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        import asyncio  # noqa: PLC0415 - loaded by then

        await asyncio.to_thread(self.close)

    def _confession(self, dropped: dict[str, int]) -> ErrorEvent:
        """The event that tells of dropped errors; it stands for itself, not for them."""
        text = ", ".join(f"{why} {many}" for why, many in dropped.items())
        details: Details = {"severity": "medium", "tags": dropped, "recoverable": False}
        seen = see(DROPPED, f"errors that could not be reported: {text}", details)
        return build(self._origin, seen, 1)

    def after_fork(self) -> None:
        """A new life in a child process: nothing of the parent is kept, sent or counted here."""
        self._delivery.after_fork()
        self._local = threading.local()

    def at_exit(self) -> None:
        """The interpreter ends."""
        self.close(self.exit_flush_s)
