"""The primitives that are alive in this process, so that what is in force can be shown."""

import weakref
from typing import Any, Final

_alive: Final[set[weakref.ref[Any]]] = set()


def enrol(primitive: object) -> None:
    """From now on it is listed, for as long as somebody uses it. Keeps nothing alive."""
    _alive.add(weakref.ref(primitive, _alive.discard))


def primitives() -> list[Any]:
    """Those that are alive, in no order. Safe beside threads that make new ones."""
    found = (ref() for ref in list(_alive))  # one step of the interpreter: nobody comes between
    return [one for one in found if one is not None]
