"""What a forked child must not inherit: locks that nobody there will release, and what is out."""

import os
import weakref
from typing import Any, Final, Protocol


class Forked(Protocol):
    """Something with a lock."""

    def after_fork(self) -> None:
        """Only the forking thread lives on, in a child."""


_alive: Final[set[weakref.ref[Any]]] = set()
_hooked = False


def watch(one: Forked) -> None:
    """Call its hook in every child. Keeps nothing alive."""
    global _hooked  # noqa: PLW0603 - the hooks of a process cannot be taken back
    _alive.add(weakref.ref(one, _alive.discard))
    if not _hooked:
        _hooked = True
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    for ref in list(_alive):
        one = ref()
        if one is not None:
            one.after_fork()
