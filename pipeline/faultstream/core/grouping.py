"""Grouper: the Group of an event, looked up where it was computed before.

Two memos, each keyed by everything that fingerprint and verdict can see of an event. In the
first the message stands with its digits made equal (`shape_key`), so that a hit costs a few
microseconds. In the second its template stands, so that messages with ever new ids in letters
share one Group and one verdict. No key is coarser than `group_of`, which sees nothing but what
stands in the keys; a property test holds them against each other.
"""

import hashlib
from typing import Final

import msgspec

from faultstream.core.classify import Classifier
from faultstream.core.classify.engine import ENDS
from faultstream.core.corrections import Corrections
from faultstream.core.event import ErrorEvent
from faultstream.core.fingerprint import fingerprint
from faultstream.core.frames import plain_type
from faultstream.core.group import Group
from faultstream.core.parties import OWN, left, named
from faultstream.core.policy import Topology
from faultstream.core.records import Control
from faultstream.core.tally import Sighting
from faultstream.core.template import HEAD_CHARS, canonical, head, parameterise, shape_key

_pack: Final = msgspec.msgpack.Encoder().encode
_LONG: Final = 256

Key = tuple[object, ...]


def group_of(event: ErrorEvent, classifier: Classifier) -> Group:
    """The Group of an admitted event, computed afresh. Pure."""
    shape = canonical(head(event.message))
    return _compute(event, parameterise(shape), named(shape), classifier)


def _compute(event: ErrorEvent, text: str, names: tuple[str, ...], classifier: Classifier) -> Group:
    print_ = fingerprint(event, text)
    verdict = classifier.classify(event, text)
    alone = left(event.error_type, text, event.http_status)
    return Group(
        fingerprint=print_.app,
        system_fingerprint=print_.system,
        template=text,
        error_type=plain_type(event.error_type),
        verdict=verdict,
        left=alone,
        named=() if alone or verdict.category in OWN else names,
    )


def _short(packed: bytes) -> bytes:
    """Bounds what a key holds. Collisions would take 2**64 tries, of which each costs an event."""
    if len(packed) <= _LONG:
        return packed
    return hashlib.blake2b(packed, digest_size=16).digest()


class Grouper:
    """Groups events by `topology`; remembers up to `capacity` keys, then starts afresh.

    Forgetting costs time, never an answer: the result is that of `group_of` always.
    """

    def __init__(self, topology: Topology, capacity: int = 50_000) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self._classifier = Classifier(topology)
        self._capacity = capacity
        self._corrections = Corrections()
        self.corrected = False
        """Whether a verdict may differ from that of the rules."""
        self._by_shape: dict[Key, Group] = {}
        self._by_template: dict[Key, Group] = {}

    def control(self, control: Control) -> None:
        """Take a correction; other controls change nothing.

        Raises:
            DataError: stage `validate`; it is a broken correction.
        """
        self._corrections.tell(control)
        self.corrected = len(self._corrections) > 0

    def group(self, event: ErrorEvent) -> Group:
        """The Group of an admitted event."""
        return self.correct(self.uncorrected(event), event)

    def correct(self, group: Group, event: Sighting) -> Group:
        """What corrections make of an `uncorrected` group."""
        return self._corrections.apply(group, event) if self.corrected else group

    def uncorrected(self, event: ErrorEvent) -> Group:
        """The Group of an admitted event, as the rules say it."""
        message = event.message
        if len(message) > HEAD_CHARS or "\n" in message:
            message = head(message)
        key: Key = (
            shape_key(message),
            event.error_type,
            event.severity,
            event.category,
            event.http_status,
            event.handled,
            event.recoverable,
            event.environment,
            event.layer,
        )
        if event.frames:
            key += (_short(_pack(event.frames)),)
        causes = event.causes
        if len(causes) == 1:
            key += (b"cause", causes[0].error_type, shape_key(head(causes[0].message)))
        elif causes:
            far = len(causes) - ENDS  # of those between the ends no message is looked at
            shapes = [
                (cause.error_type, shape_key(head(cause.message)) if at < ENDS or at >= far else 0)
                for at, cause in enumerate(causes)
            ]
            key += (b"causes", _short(_pack(shapes)))
        if event.bases:
            key += (b"bases", _short(_pack(event.bases)))
        if event.fingerprint:
            key += (b"given", _short(_pack(event.fingerprint)))
        if not message or message.isspace():
            key += (event.operation, event.function)
        group = self._by_shape.get(key)
        if group is None:
            group = self._miss(event, canonical(message), key[1:])
            if len(self._by_shape) >= self._capacity:
                self._by_shape.clear()
            self._by_shape[key] = group
        return group

    def _miss(self, event: ErrorEvent, shape: str, rest: Key) -> Group:
        text, names = parameterise(shape), named(shape)
        if not text:  # then the place counts, whatever the shape was
            return _compute(event, text, names, self._classifier)
        key: Key = (text, names, rest)
        group = self._by_template.get(key)
        if group is None:
            group = _compute(event, text, names, self._classifier)
            if len(self._by_template) >= self._capacity:
                self._by_template.clear()
            self._by_template[key] = group
        return group
