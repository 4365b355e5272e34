"""Saving: the state of an environment as bytes (MessagePack), and what older versions wrote.

The first field of a state is its version. A new version adds one function to `_STEPS`, from the
plain values of the version before to its own.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from faultstream.core.errors import StateVersionError
from faultstream.core.incident import EnvironmentState

VERSION: Final = 2


class _Head(msgspec.Struct):
    version: int = 1


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(EnvironmentState).decode
_head: Final = msgspec.msgpack.Decoder(_Head).decode


def save(state: EnvironmentState) -> bytes:
    """The state as bytes."""
    return _encode(state)


def load(raw: bytes) -> EnvironmentState:
    """The state that `save` wrote, in this version or in one before.

    Raises:
        StateVersionError: a newer faultstream wrote it.
        msgspec.DecodeError: these bytes are no saved state.
    """
    version = _head(raw).version
    if version == VERSION:
        return _decode(raw)
    if version not in _STEPS:
        raise StateVersionError("recovery", version, reads=(1, VERSION))
    plain: dict[str, Any] = msgspec.msgpack.decode(raw)
    while version < VERSION:
        plain = _STEPS[version](plain)
        version += 1
    return msgspec.convert(plain, EnvironmentState)


def _from_1(plain: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one command per attempt and kept what the stream showed with it."""
    for case in [*plain.get("cases", {}).values(), *plain.get("finished", {}).values()]:
        case["phase"] = case["incident"]["state"]
        tries = case.get("tries", [])
        case["runs"] = len(tries)
        for number, one in enumerate(tries, 1):
            one["run"] = number
            one["latest_ms"] = one["deadline_ms"]
        if tries:
            case["run"] = _run(tries[-1])
    return {**plain, "version": 2}


def _run(last: dict[str, Any]) -> dict[str, Any]:
    kept = ("reference", "settled_ms", "low_since_ms", "give_up_ms", "outcome")
    command = last["command"]
    return {
        "number": last["run"],
        "strategy": command["strategy"],
        "steps": [{"strategy": command["strategy"], "parameters": command.get("parameters", {})}],
        "base": last.get("reference", 0.0),
        **{name: last[name] for name in kept if name in last},
    }


_STEPS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {1: _from_1}
