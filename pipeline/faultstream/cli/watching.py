"""Watching: what `faultstream watch` does between its options and its loop.

A step reads what is new, turns it into events and hands them over; only when they are safe
(`flush`) are the positions saved. So a crash between the two repeats events, with the same ids,
and never loses one; an orderly end repeats nothing.
"""

import glob
import os
from collections.abc import Callable, Iterable
from datetime import tzinfo
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from faultstream import wire
from faultstream.cli.tail import Position, Tail
from faultstream.core import ids
from faultstream.core.errors import DataError
from faultstream.core.event import DEFAULT_ENVIRONMENT, ErrorEvent
from faultstream.core.limits import Limits
from faultstream.formats import metrics
from faultstream.formats.logs.joiner import Found, Joiner
from faultstream.formats.logs.jsonlines import find
from faultstream.formats.logs.stamp import Now
from faultstream.formats.native import admit

QUIET_MS: Final = 1_000
"""A record to which nothing was added for so long is whole."""
STALLED_MS: Final = 10_000
"""The same of a record that ends in the middle of a trace."""
GLOB_MS: Final = 5_000
LINES_A_STEP: Final = 2_000


class Target(Protocol):
    """Where events go. `publish` may wait; `flush` says whether all of them are safe."""

    def publish(self, event: ErrorEvent) -> None:
        """Take one event over."""

    def flush(self) -> bool:
        """Make all of them safe; False when that is not possible now."""


class Naming(msgspec.Struct, frozen=True):
    """What is said of every event that does not say it itself. `service` may hold {stem}, {name}
    and {parent} of the file; `field` is a JSON field that names the service."""

    service: str = "{stem}"
    field: str = ""
    environment: str = DEFAULT_ENVIRONMENT
    layer: str = ""
    host: str = ""

    def service_of(self, path: Path) -> str:
        """The service that the path stands for."""
        parts = {"stem": path.name.partition(".")[0], "name": path.name, "parent": path.parent.name}
        return self.service.format(**parts)


class Saved(msgspec.Struct):
    """The state file."""

    files: dict[str, Position] = {}
    limits: bytes = b""


class _Open:
    """A file and the record that is open in it."""

    def __init__(self, tail: Tail) -> None:
        self.tail = tail
        self.joiner = Joiner()
        self.touched_ms = 0


class Watching:
    """See the module. `clock` gives milliseconds since the epoch."""

    def __init__(
        self,
        patterns: Iterable[str],
        target: Target,
        *,
        naming: Naming,
        zone: tzinfo,
        state: Path | None,
        from_start: bool,
        clock: Callable[[], int],
    ) -> None:
        """Take up the state file, if there is one.

        Raises:
            ValueError: it is not one of ours.
        """
        self._patterns = tuple(patterns)
        self._target = target
        self._naming = naming
        self._zone = zone
        self._state = state
        self._from_start = from_start
        self._clock = clock
        self._files: dict[str, _Open] = {}
        self._globbed_ms = -GLOB_MS
        self._limits = Limits()
        self._saved = Saved()
        self._written = b""
        if state is not None and state.exists():
            try:
                self._saved = msgspec.json.decode(state.read_bytes(), type=Saved)
                if self._saved.limits:
                    self._limits.load(self._saved.limits)
            except msgspec.DecodeError as exc:
                raise ValueError(f"{state}: not a state file of watch: {exc}") from exc
        self.published = 0
        self.refused: dict[str, int] = {}

    def step(self, *, last: bool = False) -> bool:
        """Read what is new; True when there was something. With `last`, open records end too."""
        now_ms = self._clock()
        if now_ms - self._globbed_ms >= GLOB_MS:
            self._look(now_ms)
        busy = False
        for path, file in self._files.items():
            service = self._naming.service_of(Path(path))
            for line in file.tail.lines(LINES_A_STEP):
                busy = True
                file.touched_ms = now_ms
                ended = (
                    file.joiner.end()
                    if line.text is None
                    else file.joiner.feed(line.text, line.start)
                )
                self._take(ended, file.tail, service, now_ms)
            patience_ms = STALLED_MS if file.joiner.unfinished else QUIET_MS
            if last or now_ms - file.touched_ms >= patience_ms:
                self._take(file.joiner.end(), file.tail, service, now_ms)
        return busy

    def measured(self, found: Iterable[metrics.Measure], service: str, only: Iterable[str]) -> None:
        """Judge scraped measures whose names are like one of `only`."""
        now = Now(self._clock(), self._zone)
        patterns = tuple(only)
        for measure in found:
            if any(fnmatchcase(measure.metric, pattern) for pattern in patterns):
                self._judge(measure, service, now)

    def tell(self, event: ErrorEvent, service: str) -> None:
        """Publish an event that did not come out of a file."""
        self._publish(event, service, Now(self._clock(), self._zone))

    def commit(self) -> bool:
        """Make what was published safe, then save the positions. False: try again later."""
        if not self._target.flush():
            return False
        if self._state is None:
            return True
        files = dict(self._saved.files)
        for path, file in self._files.items():
            start = file.joiner.start
            position = file.tail.position(file.tail.offset if start is None else start)
            if position is not None:
                files[path] = position
        saved = Saved(files, self._limits.save())
        raw = msgspec.json.encode(saved)
        if raw != self._written:
            _replace(self._state, raw)
            self._written, self._saved = raw, saved
        return True

    def close(self) -> None:
        """Let all files go."""
        for file in self._files.values():
            file.tail.close()

    def _look(self, now_ms: int) -> None:
        first = self._globbed_ms < 0
        self._globbed_ms = now_ms
        for pattern in self._patterns:
            # pathlib's glob takes no absolute patterns.
            paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207
            for path in paths:
                name = os.path.abspath(path)  # noqa: PTH100 - links stay what they are
                if name not in self._files:
                    position = self._saved.files.get(name)
                    start = self._from_start or not first
                    self._files[name] = _Open(Tail(Path(name), position, from_start=start))

    def _take(self, found: Found | None, tail: Tail, service: str, now_ms: int) -> None:
        if found is None:
            return
        now = Now(now_ms, self._zone)
        event: ErrorEvent | metrics.Measure | None = None
        if found.format.name == "json":
            plain = _object(found.lines[0])
            event = metrics.read(plain, now)
            named = find(plain, (self._naming.field,)) if self._naming.field else None
            service = named if isinstance(named, str) else service
        if event is None:
            event = found.format.read(found.lines, now)
        if isinstance(event, metrics.Measure):
            self._judge(event, service, now)
        elif event is not None:
            if not event.event_id:
                place = (self._naming.host, *tail.identity, found.start, found.lines[0])
                event.event_id = ids.derive("log", *place)
            self._publish(event, service, now)

    def _judge(self, measure: metrics.Measure, service: str, now: Now) -> None:
        measure.service = measure.service or service
        crossing = self._limits.judge(
            measure.key, measure.value, measure.limit, below=measure.below
        )
        if crossing is not None:
            self._publish(metrics.event(measure, crossing, now), service, now)

    def _publish(self, event: ErrorEvent, service: str, now: Now) -> None:
        naming = self._naming
        event.service = event.service or service
        event.layer = event.layer or naming.layer
        event.host = event.host or naming.host
        if event.environment == DEFAULT_ENVIRONMENT:
            event.environment = naming.environment
        try:
            event = admit(wire.encode_event(event), timestamp_ms=now.ms)
        except DataError as exc:
            self.refused[exc.reason] = self.refused.get(exc.reason, 0) + 1
            return
        if not event.event_id:
            event.event_id = ids.derive("watched", wire.encode_event(event).hex())
        self._target.publish(event)
        self.published += 1


def _object(line: str) -> dict[str, Any]:
    try:
        plain = wire.loads(line)
    except ValueError:
        return {}
    return plain if isinstance(plain, dict) else {}


def _replace(path: Path, raw: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    with fresh.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
