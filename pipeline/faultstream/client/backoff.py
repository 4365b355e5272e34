"""How long to wait before trying again, by the number of attempts that failed (from 1)."""

from collections.abc import Callable
from typing import Final, Literal

from faultstream.client import checks

Backoff = Callable[[int], float]
"""Milliseconds to wait after so many failed attempts."""

Name = Literal["exponential", "linear", "fixed", "fibonacci"]
MAX_MS: Final = 60_000


def fixed(delay_ms: float) -> Backoff:
    """Always the same. Raises ValueError below 0, as all of these."""
    checks.number("delay_ms", delay_ms, 0)
    return lambda _attempt: delay_ms


def linear(delay_ms: float, *, max_ms: float = MAX_MS) -> Backoff:
    """delay, 2 x delay, 3 x delay and so on, at most `max_ms`."""
    checks.number("delay_ms", delay_ms, 0)
    checks.number("max_ms", max_ms, 0)
    return lambda attempt: min(max_ms, delay_ms * attempt)


def exponential(delay_ms: float, *, factor: float = 1.5, max_ms: float = MAX_MS) -> Backoff:
    """delay, delay x factor, delay x factor squared and so on, at most `max_ms`."""
    checks.number("delay_ms", delay_ms, 0)
    checks.number("max_ms", max_ms, 0)
    checks.number("factor", factor, 1)

    def wait(attempt: int) -> float:
        try:
            return min(max_ms, delay_ms * factor ** (attempt - 1))
        except OverflowError:
            return max_ms

    return wait


def fibonacci(delay_ms: float, *, max_ms: float = MAX_MS) -> Backoff:
    """1, 1, 2, 3, 5, 8 and so on times the delay, at most `max_ms`."""
    checks.number("delay_ms", delay_ms, 0)
    checks.number("max_ms", max_ms, 0)

    def wait(attempt: int) -> float:
        now, following = 1, 1
        for _ in range(attempt - 1):
            now, following = following, now + following
            if now * delay_ms >= max_ms:
                return max_ms
        return min(max_ms, now * delay_ms)

    return wait


def jittered(
    backoff: Backoff, ratio: float = 0.5, chance: Callable[[], float] | None = None
) -> Backoff:
    """`backoff` plus or minus up to `ratio` (0..1) of it; `chance` gives 0..1, evenly."""
    checks.function("backoff", backoff)
    checks.number("ratio", ratio, 0, 1)
    chance = chance or _chance
    return lambda attempt: backoff(attempt) * (1 + ratio * (2 * chance() - 1))


def _chance() -> float:
    import random  # noqa: PLC0415 - import time

    return random.random()  # noqa: S311 - it may be guessed


def named(name: str, delay_ms: float) -> Backoff:
    """One of the above by its name in a command or configuration.

    Raises:
        ValueError: another name.
    """
    known: dict[str, Callable[[float], Backoff]] = {
        "fixed": fixed,
        "linear": linear,
        "exponential": exponential,
        "fibonacci": fibonacci,
    }
    if name not in known:
        raise ValueError(f"backoff: expected one of {', '.join(known)}, got {name!r}")
    return known[name](delay_ms)
