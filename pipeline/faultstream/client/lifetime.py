"""What must happen to reporters when their process forks or ends."""

import atexit
import os
import sys
import threading
from typing import Any, Final, Protocol


class Lasting(Protocol):
    """Something with a thread of its own."""

    def after_fork(self) -> None:
        """Forget what belongs to the parent process."""

    def at_exit(self) -> None:
        """Finish, within a bound."""


_alive: Final[list[Lasting]] = []
_abandoned: Final[list[object]] = []
"""What a child inherited and must not destroy: closing it would touch the parent's sockets."""
_hooked = False
_importing = threading.Lock()
_LONGEST_IMPORT_S: Final = 10.0


def load_kafka() -> None:
    """Import aiokafka (0.2 s, which importing the client must not cost), safe against forks.

    A fork in the middle of an import, which another thread does, leaves the child with half a
    module for ever: forks wait for the end of this one.
    """
    with _importing:
        import encodings.idna  # noqa: PLC0415 - what looking up a host's name loads

        import aiokafka  # noqa: PLC0415

        del aiokafka, encodings


def watch(lasting: Lasting) -> None:
    """From now on call its hooks."""
    global _hooked  # noqa: PLW0603 - the hooks of a process cannot be taken back
    _alive.append(lasting)
    if not _hooked:
        _hooked = True
        atexit.register(_at_exit)
        os.register_at_fork(before=_before_fork, after_in_parent=_go_on, after_in_child=_after_fork)


def alive() -> list[Lasting]:
    """Those that were not closed yet."""
    return _alive.copy()


def forget(lasting: Lasting) -> None:
    """It is closed."""
    if lasting in _alive:
        _alive.remove(lasting)


def abandon(inherited: object) -> None:
    """Keep it for ever, untouched."""
    _abandoned.append(inherited)


def started() -> None:
    """A thread was started: workers that multiprocessing forked end without atexit."""
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing import util  # noqa: PLC0415 - only there

        util.Finalize(None, _at_exit, exitpriority=100)


def _at_exit() -> None:
    for lasting in _alive.copy():
        lasting.at_exit()


def _before_fork() -> None:
    _importing.acquire(timeout=_LONGEST_IMPORT_S)


def _go_on() -> None:
    if _importing.locked():
        _importing.release()


def _after_fork() -> None:
    _go_on()
    for lasting in _alive:
        lasting.after_fork()
