"""Arguments that are wrong say which, what was expected, and what came.

TypeError for what is of another kind, ValueError for what is out of bounds.
"""

import inspect
import math
import operator
import os
import string
from collections.abc import Callable, Mapping
from typing import Any, Final

Exceptions = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]
"""One class, several, or a function that says of an exception whether it is meant."""
Matcher = tuple[type[BaseException], ...] | Callable[[BaseException], bool]

_TOPIC: Final = frozenset(string.ascii_letters + string.digits + "._-")
_TOPIC_CHARS: Final = 249


def number(
    label: str,
    value: object,
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
    whole: bool = False,
) -> None:
    """A number from `low` (with `above`: above it) to `high`, both included."""
    kind = "a whole number" if whole else "a number"
    bounds = f" above {low:g}" if above else f" of at least {low:g}"
    if high != math.inf:
        bounds = f"{bounds} and at most {high:g}" if above else f" from {low:g} to {high:g}"
    text = f"{label}: expected {kind}{bounds}, got {value!r}"
    found = _number(value, whole=whole)
    if found is None:
        raise TypeError(text)
    if not (low < found if above else low <= found) or not found <= high:
        raise ValueError(text)


def _number(value: Any, *, whole: bool) -> float | None:
    if isinstance(value, bool | str | bytes):
        return None
    try:
        return operator.index(value) if whole else float(value)
    except TypeError:
        return None


def name(of: object, value: object) -> None:
    """The name of a primitive."""
    if isinstance(value, str):
        return
    kind = type(of).__name__
    if callable(value):
        raise TypeError(f"{kind}: decorate with an object of it, as in @{kind}(...)")
    raise TypeError(f"{kind}: name: expected text, got {value!r}")


def service(value: object) -> None:
    """The name of a service."""
    if not isinstance(value, str):
        raise TypeError(f"service: expected a name, got {value!r}")
    if not value:
        raise ValueError("service: expected a name, got nothing")


def text(label: str, value: object, *, needed: bool = False) -> None:
    """Text, with `needed` not an empty one."""
    if not isinstance(value, str):
        raise TypeError(f"{label}: expected text, got {value!r}")
    if needed and not value:
        raise ValueError(f"{label}: expected text, got nothing")


def topic(label: str, value: object) -> None:
    """The name of a topic of Kafka."""
    text(label, value, needed=True)
    name = str(value)
    if len(name) > _TOPIC_CHARS or not _TOPIC.issuperset(name) or name in {".", ".."}:
        raise ValueError(
            f"{label}: expected at most {_TOPIC_CHARS} letters, digits and . _ -, got {value!r}"
        )


def settings(label: str, value: object) -> None:
    """Further settings by name, or None."""
    if value is not None and not isinstance(value, Mapping):
        raise TypeError(f"{label}: expected settings by name, got {value!r}")


def path(label: str, value: object) -> None:
    """A path, or None."""
    if value is not None and not isinstance(value, str | os.PathLike):
        raise TypeError(f"{label}: expected a path, got {value!r}")


def keys(value: object) -> None:
    """Signing keys by key id; messages never show one."""
    if not isinstance(value, Mapping):
        raise TypeError(f"keys: expected bytes by key id, got {type(value).__name__}")
    for key_id, key in value.items():
        if not isinstance(key_id, str) or not isinstance(key, bytes | bytearray):
            raise TypeError(
                f"keys: expected bytes by key id, got {type(key).__name__} for {key_id!r}"
            )


def function(label: str, value: object, mend: str = "") -> None:
    """Something that can be called."""
    if not callable(value):
        raise TypeError(f"{label}: expected a function, got {value!r}{mend and f'; {mend}'}")


def handler(strategy: str, value: object) -> None:
    """Something that can be called with a command alone."""
    function(f"the handler of {strategy}", value)
    called: Any = value
    try:
        inspect.signature(called).bind(None)
    except TypeError as exc:
        text = f"the handler of {strategy}: is called with the command alone: {exc}"
        raise TypeError(text) from None
    except ValueError:  # nobody knows its arguments
        return


def exceptions(label: str, value: Any) -> Matcher:
    """Classes of exceptions as `matches` takes them; a single class and lists become tuples."""
    if isinstance(value, type | tuple | list | set | frozenset):
        return classes(label, value)
    function(label, value, "classes of exceptions will do as well")
    matcher: Matcher = value
    return matcher


def classes(label: str, value: Any) -> tuple[type[BaseException], ...]:
    """Classes of exceptions, one or several."""
    if isinstance(value, type):
        value = (value,)
    if not isinstance(value, tuple | list | set | frozenset):
        raise TypeError(f"{label}: expected classes of exceptions, got {value!r}")
    for one in value:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise TypeError(f"{label}: expected classes of exceptions, got {one!r}")
    return tuple(value)


def matches(exc: BaseException, matcher: Matcher, *, whole: bool = False) -> bool:
    """Whether the exception is meant; a group is if one of its members is, with `whole` all."""
    if not isinstance(matcher, tuple):
        return bool(matcher(exc))
    if isinstance(exc, matcher) or not isinstance(exc, BaseExceptionGroup):
        return isinstance(exc, matcher)
    meant, others = exc.split(matcher)
    return meant is not None and not (whole and others is not None)
