"""Saved states say their version: older ones are brought up, others are a clear error."""

from typing import Any

import msgspec
import pytest

from faultstream.core.errors import StateVersionError
from faultstream.core.notify.stage import Notify
from faultstream.core.notify.state import load, save
from faultstream.core.stored import Stored
from tests.core.notifying import SECOND, Desk, note, rules


class Thing(msgspec.Struct, kw_only=True):
    """A state in its third version."""

    version: int = 3
    names: list[str] = []


def _from_1(plain: dict[str, Any]) -> dict[str, Any]:
    return {**plain, "name": plain["word"]}


def _from_2(plain: dict[str, Any]) -> dict[str, Any]:
    return {"names": [plain["name"]]}


THINGS = Stored(Thing, "things", version=3, steps={1: _from_1, 2: _from_2})


@pytest.mark.parametrize(
    "plain",
    [{"word": "a"}, {"version": 1, "word": "a"}, {"version": 2, "name": "a"}],
)
def test_older_versions_are_brought_up(plain: dict[str, Any]) -> None:
    """One step after the other; without a version it is the first."""
    assert THINGS.load(msgspec.msgpack.encode(plain)) == Thing(names=["a"])


def test_the_same_version_comes_back() -> None:
    """Unchanged."""
    assert THINGS.load(THINGS.save(Thing(names=["x"]))) == Thing(names=["x"])


@pytest.mark.parametrize("version", [0, 4])
def test_other_versions_are_refused(version: int) -> None:
    """With both versions and what to do, and never taken for an empty state."""
    with pytest.raises(
        StateVersionError, match=f"things was saved in version {version}, .* 1 to 3"
    ):
        THINGS.load(msgspec.msgpack.encode({"version": version}))


def test_no_state() -> None:
    """Bytes that are none are no state of any version."""
    with pytest.raises(msgspec.DecodeError):
        THINGS.load(b"\xff")


def test_notification_refuses_what_a_newer_one_wrote() -> None:
    """And reads what it wrote itself, in the middle of its work."""
    desk = Desk(rules())
    desk.give(note(1))
    desk.wait(31 * SECOND)
    raw = save(desk.state)
    assert load(raw) == desk.state
    plain = msgspec.msgpack.decode(raw)
    with pytest.raises(StateVersionError, match="the state of notification was saved in version 9"):
        Notify(rules()).load(msgspec.msgpack.encode({**plain, "version": 9}))
