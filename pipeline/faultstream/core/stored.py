"""Stored: a state as bytes (MessagePack) that say which version of it they are.

The first field of such a state is `version`. A new version adds one step: a function from the
plain values of the version before to its own.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec

from faultstream.core.errors import StateVersionError

S = TypeVar("S", bound=msgspec.Struct)

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


class _Head(msgspec.Struct):
    version: int = 1


class Stored(Generic[S]):
    """Saves and loads one type of state; `what` names it in errors, `steps` are by the version
    that they start from, without a gap up to `version`."""

    def __init__(
        self, kind: type[S], what: str, *, version: int, steps: Mapping[int, Upgrade]
    ) -> None:
        self._kind = kind
        self._what = what
        self._version = version
        self._steps = dict(steps)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._head = msgspec.msgpack.Decoder(_Head).decode

    def save(self, state: S) -> bytes:
        """The state as bytes."""
        return self._encode(state)

    def load(self, raw: bytes) -> S:
        """The state that `save` wrote, in this version or in one that there is a step from.

        Raises:
            StateVersionError: another version wrote it.
            msgspec.DecodeError: these bytes are no saved state.
        """
        version = self._head(raw).version
        if version == self._version:
            return self._decode(raw)
        if version not in self._steps:
            oldest = min([*self._steps, self._version])
            raise StateVersionError(self._what, version, reads=(oldest, self._version))
        plain: dict[str, Any] = msgspec.msgpack.decode(raw)
        while version < self._version:
            plain = self._steps[version](plain)
            version += 1
        return msgspec.convert({**plain, "version": version}, self._kind)
