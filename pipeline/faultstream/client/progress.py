"""Progress: what a long handler is at, told with the executor's next sign of life."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

MAX_STEP_CHARS: Final = 200


class Said:
    """What the handler of one command said last."""

    def __init__(self) -> None:
        self.step = ""
        self.ratio: float | None = None


_current: Final[ContextVar[Said | None]] = ContextVar("faultstream_progress", default=None)


def progress(step: str, ratio: float | None = None) -> None:
    """Say what is being done now, and which share (0..1) of all is done. In a handler, sync or
    async; elsewhere it does nothing. Costs nothing, so call it freely.

    Raises:
        ValueError: `ratio` is not within 0..1.
    """
    if ratio is not None and not 0.0 <= ratio <= 1.0:
        raise ValueError(f"ratio: expected 0 to 1, got {ratio}")
    said = _current.get()
    if said is not None:
        said.step, said.ratio = step[:MAX_STEP_CHARS], ratio


@contextmanager
def heard() -> Iterator[Said]:
    """What is said within the block, also in threads that asyncio starts from it."""
    said = Said()
    token = _current.set(said)
    try:
        yield said
    finally:
        _current.reset(token)
