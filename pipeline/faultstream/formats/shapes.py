"""Shapes: what `admit` and grouping made of events that look alike, so that neither runs again.

Most events of a fleet differ only in ids, times and numbers. An event is decoded with its frames,
causes and the other lists left as they stand, as bytes; if everything that its Group depends on was
seen before, and was admitted then without a change, the Group is known, and what is left to look
at is what may differ. Whatever is unusual goes the long way, `admit`, with the same outcome; a
property test holds the two against each other.
"""

from operator import attrgetter
from typing import Any, Final

import msgspec

from faultstream.core import event as limits
from faultstream.core.event import ErrorEvent
from faultstream.core.group import Group
from faultstream.core.grouping import Grouper
from faultstream.core.scrub import ZEROED, scrub_tags
from faultstream.core.tally import DEPENDENCY_TAG, Sighting
from faultstream.core.template import HEAD_CHARS, code_places
from faultstream.formats.bounds import names_of
from faultstream.formats.native import (
    IDENTITIES,
    MAX_TIME_MS,
    SECONDS,
    THOUSANDTHS,
    admit,
)

MAX_SHAPES: Final = 20_000
MAX_BYTES: Final = 16 * 1024 * 1024
_MAX_RECORD: Final = 16 * 1024
"""Larger records go the long way: what a shape keeps of them would crowd out the others."""


class Glance(ErrorEvent, kw_only=True, gc=False):
    """An ErrorEvent whose lists are left undecoded, None where they are absent."""

    fingerprint: msgspec.Raw = None  # type: ignore[assignment]
    causes: msgspec.Raw = None  # type: ignore[assignment]
    bases: msgspec.Raw = None  # type: ignore[assignment]
    frames: msgspec.Raw = None  # type: ignore[assignment]
    cut: msgspec.Raw = None  # type: ignore[assignment]
    tags: dict[str, str] = None  # type: ignore[assignment]  # most have none: no empty one for each


_decode: Final = msgspec.json.Decoder(Glance).decode
_said: Final = attrgetter(
    "error_type", "environment", "layer", "severity", "category", "http_status", "handled",
    "recoverable", "fingerprint", "causes", "bases", "frames", "cut",
)  # fmt: skip
_lists: Final = attrgetter("fingerprint", "causes", "bases", "frames", "cut")
_UNREADABLE: Final = (ValueError, RecursionError, TypeError)

_Raw: Final = msgspec.Raw
Key = tuple[Any, ...]


class Shape:
    """What events that look alike have in common. `weight` is the bytes of their message and
    lists; where `places` are codes in the message, the group stands in `by_codes`."""

    __slots__ = ("by_codes", "environment", "group", "places", "weight")

    def __init__(self, environment: str, group: Group | None, weight: int) -> None:
        self.environment = environment
        self.group = group
        self.weight = weight
        self.places: tuple[slice, ...] = ()
        self.by_codes: dict[Key, Group] = {}


class Shapes:
    """See the module. Starts afresh past MAX_SHAPES or MAX_BYTES; forgetting costs time, never
    an answer: `look` says what `admit` and `Grouper.group` would."""

    def __init__(self, grouper: Grouper) -> None:
        self._grouper = grouper
        self._known: dict[Key, Shape] = {}
        self._once: set[int] = set()
        self._count = 0
        self._bytes = 0

    def look(self, value: bytes | None, timestamp_ms: int) -> tuple[Sighting, Group]:  # noqa: C901, PLR0911, PLR0912
        """The admitted event in a record's value, as far as it is counted, and its group.

        One long function on purpose, as `admit` is.

        Raises:
            DataError: as `admit` does.
        """
        try:
            # None raises TypeError
            event = _decode(value) if len(value) <= _MAX_RECORD else None  # type: ignore[arg-type]
        except _UNREADABLE:
            event = None
        if event is None:
            return self._slowly(value, timestamp_ms)
        message = event.message
        raw = message.encode()
        zeroed = raw.translate(ZEROED)
        key: Key = (zeroed, _said(event))
        if not message:
            key += (event.operation, event.function)
        try:
            shape = self._known.get(key)
        except TypeError:  # a list is there, as bytes that are not hashed as they are
            said = [bytes(one) if one.__class__ is _Raw else one for one in key[1]]
            key = (zeroed, *said, *key[2:])
            shape = self._known.get(key)
        if shape is None:
            return self._slowly(value, timestamp_ms, event, key)
        group = shape.group
        if group is None:
            group = shape.by_codes.get((raw == zeroed, *[raw[place] for place in shape.places]))
            if group is None:
                return self._slowly(value, timestamp_ms, event, key)

        time = event.time
        if time.__class__ is str:
            start = SECONDS.get(time[:19])
            fraction = THOUSANDTHS.get(time[19:])
            if start is None or fraction is None:
                return self._slowly(value, timestamp_ms)
            event.time = time = start + fraction
        elif time is None:
            event.time = time = max(0, timestamp_ms)
        if (
            not 0 <= time < MAX_TIME_MS  # type: ignore[operator]
            or not 1 <= event.count <= limits.MAX_COUNT
            or event.service not in IDENTITIES
        ):
            return self._slowly(value, timestamp_ms)
        event.environment = shape.environment
        rest = len(value) - shape.weight  # type: ignore[arg-type]
        if rest > limits.MAX_NAME_CHARS and _may_be_long(event):
            return self._slowly(value, timestamp_ms)
        if event.tags and DEPENDENCY_TAG in event.tags:
            scrub_tags(event.tags)
        if self._grouper.corrected:
            group = self._grouper.correct(group, event)
        return event, group

    def _slowly(
        self,
        value: bytes | None,
        timestamp_ms: int,
        seen: Glance | None = None,
        key: Key = (),
    ) -> tuple[Sighting, Group]:
        """The long way. Remembers what came of it under `key`, if it may."""
        event = admit(value, timestamp_ms=timestamp_ms)
        group = self._grouper.uncorrected(event)
        if (
            seen is not None
            and value is not None
            and len(value) <= _MAX_RECORD
            and not event.cut
            and event.message == seen.message
            and len(event.message) <= HEAD_CHARS
            and "\n" not in event.message
            and not event.message.isspace()
        ):
            self._remember(key, seen, event.environment, group)
        return event, self._grouper.correct(group, event)

    def _remember(self, key: Key, seen: Glance, environment: str, group: Group) -> None:
        """From its second time on, so that texts that never come again crowd nothing out."""
        mark = hash(key)
        if mark not in self._once:
            if len(self._once) >= MAX_SHAPES:
                self._once.clear()
            self._once.add(mark)
            return
        if self._count >= MAX_SHAPES or self._bytes > MAX_BYTES:
            self._known.clear()
            self._count = self._bytes = 0
        zeroed: bytes = key[0]
        raw = seen.message.encode()
        places = code_places(zeroed)
        shape = self._known.get(key)
        if shape is None:
            weight = len(raw) + sum(len(bytes(one)) for one in _lists(seen) if one)
            shape = self._known[key] = Shape(environment, None if places else group, weight)
            shape.places = places
            self._bytes += weight
        self._count += 1
        if places:
            shape.by_codes[raw == zeroed, *[raw[place] for place in places]] = group


def _may_be_long(event: Glance) -> bool:
    """Whether a field may be past its limit."""
    longest = limits.MAX_NAME_CHARS
    tags = event.tags
    return max(map(len, names_of(event))) > longest or (
        bool(tags)
        and (
            len(tags) > limits.MAX_TAGS
            or max(map(len, tags)) > longest
            or sum(map(len, tags)) + sum(map(len, tags.values())) > limits.MAX_TAGS_CHARS
        )
    )
