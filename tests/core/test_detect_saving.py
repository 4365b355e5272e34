"""Saved state of detection: what older versions wrote, and what this one refuses."""

from typing import Any

import msgspec
import pytest

from faultstream.core.detect.saving import VERSION
from faultstream.core.errors import StateVersionError
from tests.core import making
from tests.core.making import Line, event, group

MADE = making.topology()


def saved(count: int = 6) -> tuple[Line, list[Any]]:
    """A service with open episodes, and its saved state as plain values."""
    line = Line(MADE)
    for n in range(count):
        line.take([(event(n * 4_000), group("ab"[n % 2]))])
    return line, msgspec.msgpack.decode(line.detect.save(line.state))


def test_version_2_is_read() -> None:
    """A state of version 2, whose evidence had no trace and no parent, goes on as this one's."""
    line, plain = saved()
    for lane in plain[8]:
        for slot in [*lane[1], *lane[2]]:
            for cell in slot[4]:
                cell[6] = [one[:3] for one in cell[6]]
        for episodes in lane[5].values():
            for key, episode in episodes.items():
                episode[12] = [one[:3] for one in episode[12]]
                episodes[key] = episode[:15]
        memory = lane[12]
        memory[6] = {key: trace[:6] for key, trace in memory[6].items()}
        lane[12] = memory[:9]
    raw = msgspec.msgpack.encode([2, *plain[1:]])
    expected = Line(MADE)
    expected.state = line.detect.load(line.detect.save(line.state))
    expected.mark = line.mark
    told = expected.end()
    line.state = line.detect.load(raw)
    assert [(one.kind, one.state, one.count) for one in line.end()] == [
        (one.kind, one.state, one.count) for one in told
    ]


@pytest.mark.parametrize("version", [1, VERSION + 1])
def test_other_versions_are_refused(version: int) -> None:
    """Any other version is named, not guessed at."""
    line, plain = saved(1)
    with pytest.raises(StateVersionError) as caught:
        line.detect.load(msgspec.msgpack.encode([version, *plain[1:]]))
    assert str(caught.value) == (
        f"the state of detection was saved in version {version}, this faultstream reads 2 to "
        f"{VERSION}: run the faultstream that wrote it, or delete its changelog topic to begin anew"
    )


def test_bytes_that_are_no_state() -> None:
    """Other bytes are an error of their own."""
    with pytest.raises(msgspec.DecodeError):
        Line(MADE).detect.load(b"\xc0")
