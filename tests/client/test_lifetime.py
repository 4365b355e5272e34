"""What forks and ends of processes do to whatever has a thread of its own, step by step.

That it works with real processes is shown where reporters and executors are tested.
"""

import atexit
import os
import threading
from collections.abc import Iterator
from multiprocessing import process, util
from typing import Any

import pytest

from faultstream.client import lifetime


class Lasting:
    """Notes what it is told."""

    def __init__(self, notes: list[str], name: str) -> None:
        self.notes, self.name = notes, name

    def after_fork(self) -> None:
        """In the child."""
        self.notes.append(f"{self.name} forked")

    def at_exit(self) -> None:
        """At the end; it takes itself off the list, as reporters do."""
        self.notes.append(f"{self.name} ended")
        lifetime.forget(self)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A process with nothing alive but two of them, which has its hooks already."""
    told: list[str] = []
    monkeypatch.setattr(lifetime, "_alive", [])
    monkeypatch.setattr(lifetime, "_abandoned", [])
    monkeypatch.setattr(lifetime, "_hooked", True)
    for name in ("a", "b"):
        lifetime.watch(Lasting(told, name))
    yield told
    assert not lifetime._importing.locked()


def test_the_end_tells_everybody_even_those_who_leave_meanwhile(notes: list[str]) -> None:
    """Each is told once, in the order in which they began; to leave twice is no error."""
    first = lifetime.alive()[0]
    lifetime._at_exit()
    assert notes == ["a ended", "b ended"]
    assert lifetime.alive() == []
    lifetime.forget(first)


def test_a_fork_waits_for_an_import_and_the_child_begins_anew(notes: list[str]) -> None:
    """Nobody imports while it happens; afterwards parent and child may, and the child is told."""
    lifetime._before_fork()
    assert lifetime._importing.locked()
    lifetime._go_on()
    assert notes == []
    lifetime._before_fork()
    lifetime._after_fork()
    assert notes == ["a forked", "b forked"]
    lifetime.load_kafka()


def test_an_import_that_never_ends_does_not_stop_forks_for_ever(
    notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fork goes on after its bound, and the child can import."""
    monkeypatch.setattr(lifetime, "_LONGEST_IMPORT_S", 0.01)
    lifetime._importing.acquire()
    lifetime._before_fork()
    lifetime._after_fork()
    assert notes == ["a forked", "b forked"]
    lifetime._go_on()


def test_what_was_inherited_is_kept_untouched(notes: list[str]) -> None:
    """Whoever lets go of a parent's sockets may close them."""
    inherited = threading.Lock()
    lifetime.abandon(inherited)
    assert lifetime._abandoned == [inherited]
    assert notes == []


def test_the_hooks_of_a_process_are_made_once(
    notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the first that is watched: one for the end, and all three of a fork."""
    made: list[Any] = []
    monkeypatch.setattr(lifetime, "_hooked", False)
    monkeypatch.setattr(atexit, "register", made.append)
    monkeypatch.setattr(os, "register_at_fork", lambda **hooks: made.append(sorted(hooks)))
    lifetime.watch(Lasting(notes, "c"))
    lifetime.watch(Lasting(notes, "d"))
    assert made == [
        lifetime._at_exit,
        ["after_in_child", "after_in_parent", "before"],
    ]


@pytest.mark.parametrize("parent", [None, object()])
def test_workers_of_multiprocessing_end_by_its_own_hook(
    parent: object, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They never run atexit; the process that began them needs nothing."""
    made: list[Any] = []
    monkeypatch.setattr(process, "parent_process", lambda: parent)
    monkeypatch.setattr(util, "Finalize", lambda *given, **more: made.append((given, more)))
    lifetime.started()
    hook = (None, lifetime._at_exit), {"exitpriority": 100}
    assert made == ([hook] if parent else [])
    assert notes == []
