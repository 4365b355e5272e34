"""Logs: structlog for our lines and the libraries', JSON unless on a terminal.

Event names are constants, values are fields. Floods of one line are held back and counted: the
Kafka client alone writes 60 errors a second while a broker is away.
"""

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import structlog

NOISY: Final = (
    "aiokafka",
    "faust",
    "mode",
    "faultstream.transport.reading",  # what Faust says of our subclasses of its services
    "faultstream.transport.chunks",
    "faultstream.transport.changelog",
)
"""Loggers, with those below them, that are held to `PER_WINDOW` equal lines per `WINDOW_S`, and
to warnings."""
PER_WINDOW: Final = 3
WINDOW_S: Final = 10.0
MAX_KINDS: Final = 1_000


class FloodFilter(logging.Filter):
    """Lets `limit` lines of one logger and template through per window; the next one tells how
    many were held back. Bounded: at most `MAX_KINDS` templates are remembered."""

    def __init__(
        self,
        *,
        limit: int = PER_WINDOW,
        window_s: float = WINDOW_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._limit = limit
        self._window_s = window_s
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False holds the line back."""
        kind = (record.name, str(record.msg))
        now = self._clock()
        start, count = self._seen.get(kind, (now, 0))
        if now - start >= self._window_s:
            held = count - self._limit
            if held > 0:
                record.msg = f"{record.msg} [{held} more like this held back]"
            start, count = now, 0
        if len(self._seen) >= MAX_KINDS:
            self._seen.clear()
        self._seen[kind] = (start, count + 1)
        return count < self._limit


def configure(level: str = "info", *, json: bool | None = None) -> None:
    """Set up logging of this process to standard error. May be repeated; the last one counts.

    `json` None means: unless standard error is a terminal.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    flood = FloodFilter()
    handler.addFilter(lambda record: not _noisy(record.name) or flood.filter(record))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in NOISY:
        quiet = logging.DEBUG if level == "debug" else logging.WARNING
        logging.getLogger(name).setLevel(max(quiet, root.level))


def _noisy(name: str) -> bool:
    return any(name == noisy or name.startswith(f"{noisy}.") for noisy in NOISY)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
