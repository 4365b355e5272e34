"""What the section `notification` may say but hardly means. One function a hint, as in hints.py."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, get_args

from faultstream.config.calendar_rules import walk
from faultstream.config.errors import Problem
from faultstream.config.notify_rules import stated
from faultstream.config.rules import Rule
from faultstream.config.shape import did_you_mean
from faultstream.config.source import Source
from faultstream.core.group import Category
from faultstream.core.notify.matchers import LABELS, Matcher, MatcherError, matcher
from faultstream.core.notify.route import EACH
from faultstream.core.policy import Topology
from faultstream.core.records import Level
from faultstream.core.severity import SEVERITIES

VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "level": get_args(Level),
    "severity": SEVERITIES,
    "category": get_args(Category),
}
"""All values of labels that have no others."""


def labels_of_ours(source: Source, topology: Topology) -> Iterator[Problem]:
    """A label that response gives no alert is likely misspelt."""
    named = [(place, one.name) for place, one in _matchers(topology)]
    for path, route in walk(topology.notification.route):
        names = enumerate(route.group_by or ())
        named += [(f"{path}.group_by[{place}]", name) for place, name in names if name != EACH]
    for n, rule in enumerate(topology.notification.inhibit_rules):
        path = f"notification.inhibit_rules[{n}].equal"
        named += [(f"{path}[{place}]", name) for place, name in enumerate(rule.equal)]
    for place, name in named:
        if name not in LABELS:
            mend = did_you_mean(name, LABELS)
            yield source.problem(
                place, "alerts of respond have no such label", value=name, mend=mend
            )


def values_that_are(source: Source, topology: Topology) -> Iterator[Problem]:
    """A matcher on a level, severity or category that there is not is likely misspelt."""
    for place, one in _matchers(topology):
        known = VALUES.get(one.name)
        if known is None:
            continue
        matched = [value for value in known if one.matches({one.name: value})]
        bound = ", ".join(known)
        if not matched and not one.matches({}):
            yield source.problem(
                place, f"matches no {one.name} that there is", bound=bound, value=one.text
            )
        elif one.negated and len(matched) == len(known) and one.matches({}):
            yield source.problem(
                place, f"leaves out no {one.name} that there is", bound=bound, value=one.text
            )


def routes_behind_all(source: Source, topology: Topology) -> Iterator[Problem]:
    """A route that takes everything, or what one before it takes, leaves the next nothing."""
    for path, route in walk(topology.notification.route):
        taken: dict[frozenset[str], int] = {}
        for place, child in enumerate(route.routes):
            wanted = frozenset(child.matchers)
            before = next((at for known, at in taken.items() if known <= wanted), None)
            if before is not None:
                yield source.problem(
                    f"{path}.routes[{place}]",
                    f"is never tried, as routes[{before}] takes all of it",
                    mend="Put it before that one, or let that one `continue`.",
                )
            elif not child.continue_:
                taken[wanted] = place


def _matchers(topology: Topology) -> Iterator[tuple[str, Matcher]]:
    """Every matcher that can be read, with its place."""
    found: Sequence[tuple[str, tuple[str, ...], bool]] = list(stated(topology.notification))
    for path, texts, _ in found:
        for place, text in enumerate(texts):
            try:
                yield f"{path}[{place}]", matcher(text)
            except MatcherError:
                continue


NOTIFY_HINTS: Final[tuple[Rule, ...]] = (labels_of_ours, values_that_are, routes_behind_all)
