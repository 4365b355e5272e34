"""The routing tree: which groups an alert belongs to, and how they are told.

Depth first, left to right: a node is entered when its matchers match; the first child that does
takes the alert unless it says `continue`; when no child does, the node itself takes it.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import msgspec

from faultstream.core.notify.matchers import match_all
from faultstream.core.policy import NotifyRoutePolicy, ReceiverPolicy, Topology

EACH: Final = "..."

T = TypeVar("T")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A node with all that it inherits. `path` is its place in the tree, "0" the root."""

    path: str
    matchers: tuple[str, ...]
    goes_on: bool
    receiver: str
    group_by: tuple[str, ...]
    group_wait_ms: int
    group_interval_ms: int
    repeat_interval_ms: int
    inhibit_in_flight: bool
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    children: tuple["Route", ...] = ()

    def match(self, labels: Mapping[str, str]) -> list["Route"]:
        """The nodes that take an alert with these labels; none when this one is not entered."""
        if not match_all(self.matchers, labels):
            return []
        found: list[Route] = []
        for child in self.children:
            taken = child.match(labels)
            found += taken
            if taken and not child.goes_on:
                break
        return found or [self]

    def group(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels that make the group of such an alert, sorted by name."""
        names = sorted(labels if EACH in self.group_by else self.group_by)
        return {name: labels[name] for name in names if labels.get(name)}

    def walk(self) -> Iterator["Route"]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def tree(topology: Topology) -> Route:
    """The routing tree of a topology; its root takes whatever no other node takes."""
    top = Route(
        path="0",
        matchers=(),
        goes_on=False,
        receiver="default",
        group_by=(),
        group_wait_ms=30_000,
        group_interval_ms=300_000,
        repeat_interval_ms=14_400_000,
        inhibit_in_flight=True,
    )
    return _node(topology.notification.route, top, "0")


def receivers(topology: Topology) -> dict[str, ReceiverPolicy]:
    """The receivers by name; `default` is every channel unless it is declared."""
    everything = ReceiverPolicy(channels=tuple(topology.channels))
    return {"default": everything, **topology.notification.receivers}


def _node(policy: NotifyRoutePolicy, parent: Route, path: str) -> Route:
    made = Route(
        path=path,
        matchers=policy.matchers,
        goes_on=policy.continue_,
        receiver=policy.receiver or parent.receiver,
        group_by=_or(policy.group_by, parent.group_by),
        group_wait_ms=_or(policy.group_wait_ms, parent.group_wait_ms),
        group_interval_ms=_or(policy.group_interval_ms, parent.group_interval_ms),
        repeat_interval_ms=_or(policy.repeat_interval_ms, parent.repeat_interval_ms),
        inhibit_in_flight=_or(policy.inhibit_in_flight, parent.inhibit_in_flight),
        mute_time_intervals=policy.mute_time_intervals,
        active_time_intervals=policy.active_time_intervals,
    )
    children = (_node(one, made, f"{path}.{n}") for n, one in enumerate(policy.routes))
    return msgspec.structs.replace(made, children=tuple(children))


def _or(own: T | None, parents: T) -> T:
    return parents if own is None else own
