"""What an exception says of itself: by FaultError, by `describe`, by the chaos that made it."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar, Unpack

from faultstream.client import checks
from faultstream.client.detail import add, text_of, warn
from faultstream.client.event import Details
from faultstream.client.fault import FaultError
from faultstream.core.event import MAX_CAUSES

E = TypeVar("E", bound=BaseException)
Read = Callable[[Any], Mapping[str, object]]

EXPERIMENT: Final = "faultstream_experiment_id"
"""Stands in the `__dict__` of injected exceptions."""
_EVENT: Final = "faultstream_event_id"
_NAMES: Final = frozenset(Details.__annotations__)


class _Description(NamedTuple):
    details: Details
    read: Read | None


_described: Final[dict[type[BaseException], _Description]] = {}
_by_type: Final[dict[type[BaseException], tuple[_Description, ...]]] = {}
_lock: Final = threading.Lock()


def describe(
    kind: type[E],
    *,
    read: Callable[[E], Mapping[str, object]] | None = None,
    **details: Unpack[Details],
) -> None:
    """Say of an existing exception class, and of all below it, what a FaultError says of itself.

    `read` gives further details of one exception, such as its retry count; what it returns wins
    over `details`, and what is given to `report` wins over both. When it raises, its part is left
    out. Describing a class again replaces what was said of it. Classes below add to it.

    Raises:
        TypeError: no class of exceptions, no function, or a detail that does not exist.
    """
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        raise TypeError(f"describe: expected a class of exceptions, got {kind!r}")
    if read is not None:
        checks.function("read", read)
    unknown = details.keys() - _NAMES
    if unknown:
        raise TypeError(f"details: no such detail: {', '.join(sorted(unknown))}")
    with _lock:
        _described[kind] = _Description(details, read)
        _by_type.clear()


def about(exc: BaseException) -> Details:
    """The details of one exception. A new dictionary, empty for one that says nothing."""
    kind = type(exc)
    found: dict[str, Any] = {}
    if isinstance(exc, FaultError):
        try:
            found.update(_told(exc))
        except Exception as broken:  # noqa: BLE001 - attributes of someone else's may raise
            warn("about", f"{kind.__name__} cannot be read: {text_of(broken)}")
    if _described:
        for description in _descriptions(kind):
            add(found, description.details)
            if description.read is not None:
                add(found, _read(description.read, exc))
    if experiment_id := experiment_of(exc):
        found["experiment_id"] = experiment_id
    details: Any = found
    typed: Details = details
    return typed


def _told(exc: FaultError) -> dict[str, object]:
    """What a FaultError says."""
    found: dict[str, object] = {
        "severity": exc.severity,
        "category": exc.category,
        "recoverable": exc.recoverable,
        "retry_count": exc.retry_count,
        "max_retries": exc.max_retries,
    }
    if exc.http_status is not None:
        found["http_status"] = exc.http_status
    if exc.context:
        found["tags"] = exc.context
    return found


def _descriptions(kind: type[BaseException]) -> tuple[_Description, ...]:
    """The most general one first."""
    known = _by_type.get(kind)
    if known is None:
        known = tuple(_described[base] for base in reversed(kind.__mro__) if base in _described)
        _by_type[kind] = known
    return known


def _read(read: Read, exc: BaseException) -> dict[str, object]:
    try:
        return {name: value for name, value in read(exc).items() if name in _NAMES}
    except Exception:  # noqa: BLE001 - a broken reader must not hide the error
        return {}


def experiment_of(exc: BaseException) -> str:
    """The experiment that injected it, or what is behind it; empty for real errors."""
    if (
        exc.__cause__ is None
        and exc.__context__ is None
        and not isinstance(exc, BaseExceptionGroup)
    ):
        return str(exc.__dict__.get(EXPERIMENT, ""))
    waiting, seen = [exc], 0
    known: set[int] = set()
    while waiting and seen <= MAX_CAUSES:
        link = waiting.pop()
        if id(link) in known:
            continue
        known.add(id(link))
        seen += 1
        if EXPERIMENT in link.__dict__:
            return str(link.__dict__[EXPERIMENT])
        behind = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        if behind is not None:
            waiting.append(behind)
        if isinstance(link, BaseExceptionGroup):
            waiting.extend(link.exceptions[:MAX_CAUSES])
    return ""


def label(exc: BaseException, experiment_id: str) -> None:
    """This exception was injected."""
    exc.__dict__[EXPERIMENT] = experiment_id


def reported(exc: BaseException) -> str:
    """The id of the event that carries it, empty when it was not reported yet."""
    return str(exc.__dict__.get(_EVENT, ""))


def remember(exc: BaseException, event_id: str) -> None:
    """It was reported."""
    exc.__dict__[_EVENT] = event_id


def own_id(exc: BaseException) -> str:
    """The id that it brings along; empty once it was reported, so that no two events share one."""
    if isinstance(exc, FaultError) and _EVENT not in exc.__dict__:
        return exc.error_id
    return ""
