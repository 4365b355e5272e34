"""Roster: the states of all services that a worker hears of, in a fixed number of places (row P13).

A new service beyond the bound takes the place of the one that was silent longest among those for
which nothing is open: it loses what was learned of it, and is counted as forgotten. While all are
busy, events of further services are counted together, as a service `__other__` of their
environment. What happens past the bound depends on the order of arrival, nothing else does.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from faultstream.core.detect.stage import Detect
from faultstream.core.detect.state import ServiceState
from faultstream.core.tally import FOLDED

MAX_FOLDED: Final = 16
"""Environments that have an `__other__` of their own."""
LOOK: Final = 64
"""How many of the longest silent are asked whether they may go."""

Name = tuple[str, str]
"""Environment, service."""


class Roster:
    """At most `places` services, and a few that stand for others. `forgotten` services lost their
    place, `folded` times a service found none."""

    def __init__(self, detect: Detect, places: int) -> None:
        self._detect = detect
        self._places = places
        self._fleets = detect.fleets()
        self._states: dict[Name, ServiceState] = {}
        self.forgotten = 0
        self.folded = 0

    def __len__(self) -> int:
        return len(self._states)

    def of(self, environment: str, service: str) -> ServiceState:
        """The state that counts events of the service; it is the last to be forgotten now."""
        name = (environment, service)
        state = self._states.pop(name, None)
        if state is None and len(self._states) >= self._places and not self._room():
            self.folded += 1
            name = self._other(environment)
            state = self._states.pop(name, None)
        if state is None:
            state = self._detect.new(*name, self._fleets)
        self._states[name] = state
        return state

    def every(self) -> Iterator[tuple[Name, ServiceState]]:
        """Every state, by name."""
        for name in sorted(self._states):
            yield name, self._states[name]

    def drop(self, name: Name) -> None:
        """Forgets a service that is idle; not counted."""
        self._states.pop(name, None)

    def _room(self) -> bool:
        """Makes a place free, if one of the longest silent may go."""
        for name in islice(self._states, LOOK):
            if name[1] != FOLDED and not self._detect.due(self._states[name]):
                del self._states[name]
                self.forgotten += 1
                return True
        return False

    def _other(self, environment: str) -> Name:
        mine = (environment, FOLDED)
        others = sum(name[1] == FOLDED for name in self._states)
        return mine if mine in self._states or others < MAX_FOLDED else (FOLDED, FOLDED)
