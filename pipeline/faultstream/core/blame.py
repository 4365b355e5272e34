"""Blame: which services the messages of one that rises name as what failed it.

Messages carry words (parties.py); here they are compared with the services there are: those that
rise and those that are declared. In a word of a message digits are 0, so a name with digits is
found among what rises and what the service needs only, where one alone fits.
"""

from collections.abc import Mapping

from faultstream.core.correlate import dependencies
from faultstream.core.incident import Rise
from faultstream.core.parties import plain, spellings
from faultstream.core.policy import Topology

Needs = Mapping[str, Mapping[str, int]]
"""What services depend on, directly or not, with the number of steps."""


def blamed(topology: Topology, of: Mapping[str, Rise], needs: Needs, one: Rise) -> list[str]:
    """The services that `one` names, in order; neither itself nor one that needs it, which it may
    name as who asked. `of` is what rises, by service."""
    found = [_called(topology, of, needs[one.service], word) for word in one.named]
    return [
        name
        for name in dict.fromkeys(found)
        if name and name != one.service and not _needs(topology, needs, name, one.service)
    ]


def may_blame(one: Rise, other: Rise) -> bool:
    """Whether a word of `one` may mean `other`. Cheaper than `blamed`, and never no wrongly."""
    if not one.named:
        return False
    name = plain(other.service)
    return any(name in spellings(word) for word in one.named)


def _called(topology: Topology, of: Mapping[str, Rise], needs: Mapping[str, int], word: str) -> str:
    """The service that a message calls `word`; '' where there is none, or several."""
    names = spellings(word)
    for name in names:
        if name in of or name in topology.services:
            return name
    if "0" not in word:
        return ""
    near = {name for name in (*of, *needs) if plain(name) in names}
    return near.pop() if len(near) == 1 else ""


def _needs(topology: Topology, needs: Needs, service: str, other: str) -> bool:
    known = needs.get(service)
    return other in (dependencies(topology, service) if known is None else known)
