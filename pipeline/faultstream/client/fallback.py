"""Fallback: another answer when the real one cannot be had."""

import inspect
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, ParamSpec, TypeVar, cast

from faultstream.client import checks, forks, roster
from faultstream.client.checks import Exceptions, matches
from faultstream.client.held import Clock, Held
from faultstream.client.wrap import awaited, discard, refuse_coroutine, wrap

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")


class Fallback(Generic[A]):
    """Answers with the last good result, then with each alternative in turn.

    Alternatives are called with the arguments of the call; async ones need an async function. When
    none answers, the original exception is raised. While `force` lasts the real function is not
    called as long as there is another answer.
    """

    dependency: str = ""

    def __init__(
        self,
        *alternatives: Callable[..., A],
        name: str = "",
        on: Exceptions = (Exception,),
        cache_ms: int = 0,
        cache_size: int = 1_000,
        clock: Clock = time.monotonic,
    ) -> None:
        """`cache_ms` is how old a good result may be to stand in for a failed one; 0 keeps none.

        Raises:
            TypeError: something of another kind, such as an answer in the place of a function.
            ValueError: a negative age, or a size below 1.
        """
        checks.name(self, name)
        for one in alternatives:
            checks.function("alternatives", one, "a fixed answer is `lambda *_, **__: answer`")
        checks.number("cache_ms", cache_ms, 0)
        checks.number("cache_size", cache_size, 1, whole=True)
        self.name = name
        self._alternatives = alternatives
        self._on = checks.exceptions("on", on)
        self._clock = clock
        self._cache_size = cache_size
        self.cache_ms = Held(cache_ms, clock)
        self.forced: Held[bool] = Held(local=False, clock=clock)
        self.after_fork()
        self._kept: OrderedDict[Hashable, tuple[Any, float]] = OrderedDict()
        self.answers = 0
        """Calls that were answered otherwise."""
        roster.enrol(self)
        forks.watch(self)

    def after_fork(self) -> None:
        """A lock of its own; what was kept stays."""
        self._lock = threading.Lock()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function.

        Raises:
            TypeError: an asynchronous alternative for a function that is not.
        """
        wrapped = wrap(self, function)
        if not awaited(self, function):
            for one in self._alternatives:
                if awaited(self, one):
                    title = getattr(one, "__qualname__", repr(one))
                    raise TypeError(f"alternatives: {title} is asynchronous, the function is not")
        return wrapped

    def force(self, for_ms: int, *, cache_ms: int | None = None) -> None:
        """For that long answer otherwise from the start; `cache_ms` as in the constructor."""
        self.forced.hold(value=True, for_ms=for_ms)
        if cache_ms is not None and self.cache_ms.local > 0:
            self.cache_ms.hold(max(cache_ms, self.cache_ms.local), for_ms)

    def let_go(self) -> None:
        """End what `force` began."""
        self.forced.let_go()
        self.cache_ms.let_go()

    def clear(self) -> int:
        """Forget the good results that were kept; how many."""
        with self._lock:
            many = len(self._kept)
            self._kept.clear()
            return many

    def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function, or answer for it.

        Raises:
            TypeError: a coroutine function.
        """
        refuse_coroutine(function)
        key = self._key(function, args, kwargs)
        if self.forced.get():
            found = self._other(key, args, kwargs)
            if found:
                return cast("R", found[0])
        try:
            result = function(*args, **kwargs)
        except Exception as exc:
            if not matches(exc, self._on):
                raise
            found = self._other(key, args, kwargs)
            if not found:
                raise
            return cast("R", found[0])
        self._keep(key, result)
        return result

    async def acall(
        self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """`call` for a coroutine function."""
        key = self._key(function, args, kwargs)
        if self.forced.get():
            found = await self._aother(key, args, kwargs)
            if found:
                return cast("R", found[0])
        try:
            result = await function(*args, **kwargs)
        except Exception as exc:
            if not matches(exc, self._on):
                raise
            found = await self._aother(key, args, kwargs)
            if not found:
                raise
            return cast("R", found[0])
        self._keep(key, result)
        return result

    def _other(self, key: Hashable, args: Any, kwargs: Any) -> tuple[Any, ...]:
        found = self._kept_result(key)
        for alternative in self._alternatives if not found else ():
            try:
                answer = alternative(*args, **kwargs)
                if inspect.isawaitable(answer):  # nobody can await it here
                    discard(answer)
                    continue
                found = (answer,)
                break
            except Exception:  # noqa: BLE001, S112 - the next one may do better
                continue
        self.answers += len(found)
        return found

    async def _aother(self, key: Hashable, args: Any, kwargs: Any) -> tuple[Any, ...]:
        found = self._kept_result(key)
        for alternative in self._alternatives if not found else ():
            try:
                answer: Any = alternative(*args, **kwargs)
                found = (await answer if isinstance(answer, Awaitable) else answer,)
                break
            except Exception:  # noqa: BLE001, S112 - the next one may do better
                continue
        self.answers += len(found)
        return found

    def _key(self, function: object, args: Any, kwargs: Any) -> Hashable:
        """None when the arguments cannot be told apart, and nothing is kept."""
        if self.cache_ms.get() <= 0:
            return None
        key = (function, args, tuple(sorted(kwargs.items())))
        try:
            hash(key)
        except TypeError:
            return None
        return key

    def _keep(self, key: Hashable, result: object) -> None:
        if key is None:
            return
        with self._lock:
            self._kept[key] = (result, self._clock())
            self._kept.move_to_end(key)
            if len(self._kept) > self._cache_size:
                self._kept.popitem(last=False)

    def _kept_result(self, key: Hashable) -> tuple[Any, ...]:
        with self._lock:
            kept = self._kept.get(key) if key is not None else None
        if kept is None or (self._clock() - kept[1]) * 1000 > self.cache_ms.get():
            return ()
        return (kept[0],)
