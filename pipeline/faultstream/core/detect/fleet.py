"""Fleet: whether the services of an environment are all new to the detector at once.

The ledger's bare rules (three of ten, five in a minute) are right for one service that somebody
tries, and for a new service in a fleet that is known. When detection begins with a whole fleet,
they would open something for everything that always errs. So while a service is new in a fleet
that is (see ColdPolicy), detectors ask for evidence of their own, from what the service did since
it was first seen.

A topology that declares MANY x as many services as make a fleet says beforehand that there is one;
then it is known from its first event on.

What is known of a fleet are the slots in which its first services began, so the answer at a
settled slot does not depend on the order of arrival. A fleet is what one partition has of an
environment: its services settle by one watermark.
"""

from typing import Final

from faultstream.core.policy import DetectorsPolicy

FAR: Final = 1 << 62
Hold = tuple[int, int]
"""The slots [from, to) in which a service is new in a new fleet."""
NEVER_HELD: Final[Hold] = (FAR, FAR)
MAX_FLEETS: Final = 64
MANY: Final = 4


class Fleet:
    """The services that were seen first, with the slot of their first event."""

    __slots__ = ("_first", "_known_at", "_most", "_slots", "_until")

    def __init__(self, policy: DetectorsPolicy, declared: int = 0) -> None:
        """`declared` services are named by the topology."""
        services = policy.cold.services
        self._most = 1 if declared >= MANY * services else services
        self._slots = policy.cold.for_ms // policy.slot_ms
        self._first: dict[str, int] = {}
        self._known_at = FAR
        self._until = -FAR

    def note(self, service: str, born: int) -> None:
        """The service had an event in slot `born`."""
        first = self._first
        if born >= first.get(service, FAR):
            return
        first[service] = born
        if len(first) > self._most:
            del first[max(first, key=lambda name: (first[name], name))]
        if len(first) == self._most and self._slots:
            self._known_at, self._until = max(first.values()), min(first.values()) + self._slots

    def hold(self, born: int) -> Hold:
        """When a service that began in slot `born` is held."""
        return NEVER_HELD if born >= self._until else (self._known_at, born + self._slots)


class Fleets:
    """The fleets of one partition, by environment; those past MAX_FLEETS are never held."""

    def __init__(self, policy: DetectorsPolicy, declared: int = 0) -> None:
        self._policy = policy
        self._declared = declared
        self._fleets: dict[str, Fleet] = {}

    def of(self, environment: str) -> Fleet:
        """The fleet of an environment."""
        found = self._fleets.get(environment)
        if found is None:
            found = Fleet(self._policy, self._declared)
            if len(self._fleets) < MAX_FLEETS:
                self._fleets[environment] = found
        return found
