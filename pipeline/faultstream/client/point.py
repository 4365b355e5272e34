"""Point: a place in an application where injected faults may strike."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from faultstream.client.about import label
from faultstream.client.wrap import Decorator

if TYPE_CHECKING:
    from faultstream.client.injection import Injector

P = ParamSpec("P")
R = TypeVar("R")


class Point(Decorator):
    """A place where faults may strike."""

    def __init__(self, injector: "Injector", target: str) -> None:
        self._injector = injector
        self._target = target

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function, unless a fault comes first."""
        striking = self._injector.striking(self._target)
        for injection in striking:
            if injection.latency_ms:
                self._injector.sleep(injection.latency_ms / 1000)
            if exc := injection.made():
                raise exc
        result: Any = function(*args, **kwargs)
        return cast("R", self._injector.lessened(result, striking))

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`call` for a coroutine function. A timeout that cuts the delay short is labelled too."""
        striking = self._injector.striking(self._target)
        for injection in striking:
            if injection.latency_ms:
                try:
                    await self._injector.asleep(injection.latency_ms / 1000)
                except BaseException as exc:
                    label(exc, injection.experiment_id)
                    raise
            if made := injection.made():
                raise made
        result: Any = await function(*args, **kwargs)
        return cast("R", self._injector.lessened(result, striking))
