"""Queues of tasks: what fails in a worker is reported with the task it failed in.

    from faultstream.client.tasks import celery
    celery(reporter)                # once, where the Celery application is made

Any other queue calls the same four hooks of `Tasks` around its tasks: `begin`, then `failed` or
`retried` where that happens, then `end`, all in the thread or task that runs the task.
"""

import contextlib
import importlib
from collections.abc import MutableMapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from faultstream.client.about import reported
from faultstream.client.contexts import current, within
from faultstream.client.event import Details

if TYPE_CHECKING:
    from faultstream.client.reporter import Reporter

MAX_RUNNING: Final = 10_000
FLUSH_S: Final = 5.0


class Tasks:
    """Hooks around tasks. Safe for many threads; nothing raises.

    Events reported while a task runs, by whomever, carry its id as `request_id`, its name as
    `operation`, the id of the task that began it all as `correlation_id`, retries and the trace.
    """

    def __init__(self, reporter: "Reporter") -> None:
        self._reporter = reporter
        self._running: dict[str, ExitStack] = {}

    def begin(
        self,
        task_id: str,
        name: str,
        *,
        retry_count: int = 0,
        max_retries: int | None = None,
        correlation_id: str = "",
        traceparent: str = "",
    ) -> None:
        """A task begins here. Past MAX_RUNNING tasks at once its errors lack its context."""
        details: Details = {"request_id": task_id, "operation": name, "retry_count": retry_count}
        if max_retries is not None:
            details["max_retries"] = max_retries
        if correlation_id:
            details["correlation_id"] = correlation_id
        if traceparent:
            details["traceparent"] = traceparent
        self.end(task_id)
        if len(self._running) < MAX_RUNNING:
            stack = ExitStack()
            stack.enter_context(within(lambda: details))
            self._running[task_id] = stack

    def failed(self, exc: BaseException) -> None:
        """The present task has failed for good; `exc` is reported unless it was already."""
        if isinstance(exc, Exception) and not reported(exc):
            self._reporter.report(exc, handled=False, tags={"task": "failed"})

    def retried(self, exc: BaseException) -> None:
        """The present task has failed and will be tried again because of `exc`."""
        if isinstance(exc, Exception) and not reported(exc):
            self._reporter.report(exc, handled=True, tags={"task": "retried"})

    def end(self, task_id: str) -> None:
        """The task is over, however. Repeatable."""
        stack = self._running.pop(task_id, None)
        if stack is not None:
            stack.close()


class CeleryTasks:
    """Celery's signals, connected to `Tasks`; `disconnect` ends it."""

    def __init__(self, reporter: "Reporter") -> None:
        """Raises ImportError without Celery."""
        signals: Any = importlib.import_module("celery.signals")
        self._reporter = reporter
        self._tasks = Tasks(reporter)
        self._connected = [
            (signals.before_task_publish, self._publish),
            (signals.task_prerun, self._begin),
            (signals.task_postrun, self._end),
            (signals.task_failure, self._failed),
            (signals.task_retry, self._retried),
            (signals.worker_process_shutdown, self._shutdown),
        ]
        for signal, receiver in self._connected:
            signal.connect(receiver, weak=False)

    def disconnect(self) -> None:
        """Report no more. Repeatable."""
        for signal, receiver in self._connected:
            signal.disconnect(receiver)

    def _publish(self, headers: Any = None, **_: Any) -> None:
        """The trace of who asks for a task goes with it."""
        with contextlib.suppress(Exception):
            traceparent = current().get("traceparent")
            if traceparent and isinstance(headers, MutableMapping):
                headers.setdefault("traceparent", traceparent)

    def _begin(self, task_id: str = "", task: Any = None, **_: Any) -> None:
        with contextlib.suppress(Exception):
            request = task.request
            self._tasks.begin(
                task_id,
                str(task.name),
                retry_count=int(request.retries or 0),
                max_retries=task.max_retries,
                correlation_id=str(request.root_id or ""),
                traceparent=str(getattr(request, "traceparent", None) or ""),
            )

    def _end(self, task_id: str = "", **_: Any) -> None:
        self._tasks.end(task_id)

    def _failed(self, exception: BaseException | None = None, **_: Any) -> None:
        if exception is not None:
            self._tasks.failed(exception)

    def _retried(self, reason: Any = None, **_: Any) -> None:
        cause = getattr(reason, "exc", None) or reason
        if isinstance(cause, BaseException):
            self._tasks.retried(cause)

    def _shutdown(self, **_: Any) -> None:
        """Celery's worker processes end by os._exit."""
        self._reporter.flush(FLUSH_S)


def celery(reporter: "Reporter") -> CeleryTasks:
    """Report what fails in Celery's tasks, with the task and its trace, sync or forked workers.

    Raises:
        ImportError: Celery is not installed.
    """
    return CeleryTasks(reporter)
