"""Live: how things stand now, for the live page and the terminal view. Pure: judged from facts.

Times are milliseconds since the epoch. What counts is what is stored; `stored_at_ms` says how old
that is. Incidents of experiments are shown and do not count.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from faultstream.core.machine import OVER
from faultstream.core.policy import Topology
from faultstream.core.report.text import counted

Status = Literal["healthy", "warning", "critical"]

MINUTES: Final = 60
"""That the rates go back."""
_RANK: Final[dict[Status, int]] = {"healthy": 0, "warning": 1, "critical": 2}
_BAD: Final[tuple[Status, ...]] = ("critical", "warning")
_GRAVE: Final = frozenset({"critical", "fatal"})


class Minute(msgspec.Struct, frozen=True):
    """Errors of a service in the minute that begins at `at_ms`; `grave` are critical or fatal."""

    at_ms: int
    environment: str
    service: str
    errors: int
    grave: int


class OpenPattern(msgspec.Struct, frozen=True):
    """A pattern that is not closed, as its latest revision says."""

    pattern_id: str
    kind: str
    environment: str
    service: str
    layer: str
    error_type: str
    severity: str
    count: int
    rate: float
    first_at_ms: int
    last_at_ms: int
    reason: str


class Try(msgspec.Struct, frozen=True):
    """A strategy that an incident tried, or tries."""

    command_id: str
    strategy: str
    outcome: str
    reason: str


class Step(msgspec.Struct, frozen=True):
    """A change of an incident's state."""

    at_ms: int
    state: str
    reason: str


class LiveIncident(msgspec.Struct, frozen=True):
    """An incident that is open, or ended lately."""

    incident_id: str
    environment: str
    service: str
    severity: str
    state: str
    first_error_at_ms: int
    opened_at_ms: int
    updated_at_ms: int
    resolved_at_ms: int | None
    reason: str
    tries: list[Try]
    steps: list[Step]
    experiment_id: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self.state not in OVER


class Hold(msgspec.Struct, frozen=True):
    """What a command, carried out, holds in a service until `until_at_ms`: a breaker, a timeout."""

    command_id: str
    environment: str
    service: str
    strategy: str
    parameters: str
    dependency: str
    instances: int
    since_at_ms: int
    until_at_ms: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is read. `layers` is by environment and service; `now_ms` is the database's clock."""

    now_ms: int
    stored_at_ms: int
    minutes: list[Minute]
    layers: dict[tuple[str, str], str]
    patterns: list[OpenPattern]
    incidents: list[LiveIncident]
    holds: list[Hold]


class ServiceLive(msgspec.Struct, frozen=True, kw_only=True):
    """A service and the rule by which it is what it is. `rates` are errors by minute, oldest first,
    MINUTES of them; the last one is not over yet."""

    environment: str
    service: str
    layer: str
    status: Status
    rule: str
    errors_hour: int
    grave_hour: int
    errors_5_min: int
    rates: list[int]


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Services are in the order of how bad it is."""

    now_at_ms: int
    stored_at_ms: int
    status: Status
    rule: str
    rates_from_ms: int
    rates: list[int]
    services: list[ServiceLive]
    patterns: list[OpenPattern]
    incidents: list[LiveIncident]
    holds: list[Hold]


def judge(facts: Facts, topology: Topology) -> Live:
    """How things stand. Equal facts, equal answer."""
    first = facts.now_ms // 60_000 - MINUTES + 1
    rates: dict[tuple[str, str], list[int]] = {}
    grave: dict[tuple[str, str], int] = {}
    for minute in facts.minutes:
        at = minute.at_ms // 60_000 - first
        if 0 <= at < MINUTES:
            key = (minute.environment, minute.service)
            rates.setdefault(key, [0] * MINUTES)[at] += minute.errors
            grave[key] = grave.get(key, 0) + minute.grave
    opened = [one for one in facts.incidents if one.is_open]
    names = dict.fromkeys([*rates, *_keys(facts.patterns), *_keys(opened)])
    names |= dict.fromkeys((topology.environment, name) for name in topology.services)
    services = [
        _service(key, rates.get(key, [0] * MINUTES), grave.get(key, 0), facts, topology)
        for key in names
    ]
    services.sort(key=lambda one: (-_RANK[one.status], -one.errors_5_min, -one.errors_hour,
                                   one.environment, one.service))  # fmt: skip
    status: Status = services[0].status if services else "healthy"
    return Live(
        now_at_ms=facts.now_ms,
        stored_at_ms=facts.stored_at_ms,
        status=status,
        rule=_overall(services),
        rates_from_ms=first * 60_000,
        rates=[sum(column) for column in zip(*rates.values(), strict=True)] or [0] * MINUTES,
        services=services,
        patterns=facts.patterns,
        incidents=facts.incidents,
        holds=facts.holds,
    )


def _keys(
    found: Iterable[OpenPattern] | Iterable[LiveIncident],
) -> Iterable[tuple[str, str]]:
    return ((one.environment, one.service) for one in found)


def _service(
    key: tuple[str, str],
    rates: Sequence[int],
    grave: int,
    facts: Facts,
    topology: Topology,
) -> ServiceLive:
    environment, name = key
    policy = topology.services.get(name)
    layer = facts.layers.get(key, "") or (policy.layer if policy is not None else "")
    patterns = [one for one in facts.patterns if (one.environment, one.service) == key]
    incidents = [
        one
        for one in facts.incidents
        if one.is_open and not one.experiment_id and (one.environment, one.service) == key
    ]
    status, rule = next(_rules(incidents, patterns, rates, layer, topology))
    return ServiceLive(
        environment=environment,
        service=name,
        layer=layer,
        status=status,
        rule=rule,
        errors_hour=sum(rates),
        grave_hour=grave,
        errors_5_min=sum(rates[-5:]),
        rates=list(rates),
    )


def _rules(
    incidents: Sequence[LiveIncident],
    patterns: Sequence[OpenPattern],
    rates: Sequence[int],
    layer: str,
    topology: Topology,
) -> Iterator[tuple[Status, str]]:
    """The rules that hold, the gravest first; the last one always does."""
    for one in incidents:
        if one.state == "escalated":
            yield "critical", "an incident waits for a person"
        if one.severity in _GRAVE:
            yield "critical", f"an incident of severity {one.severity} is open"
    for pattern in patterns:
        if pattern.severity in _GRAVE:
            yield "critical", f"{pattern.kind}: a pattern of severity {pattern.severity} is open"
    if incidents:
        yield "warning", f"{counted(len(incidents), 'incident')} open"
    kinds = [one.kind for one in patterns if one.kind in topology.incidents.opened_by]
    if kinds:
        yield "warning", f"open pattern: {kinds[0]}"
    policy = topology.layers.get(layer)
    most = max(rates[-2:], default=0)
    if policy is not None and most > policy.max_errors_per_minute:
        limit = policy.max_errors_per_minute
        yield "warning", f"{most} errors in a minute; the layer {layer} allows {limit}"
    if sum(rates[-5:]):
        yield "healthy", "errors below every limit"
    yield "healthy", "no errors in the last 5 minutes"


def _overall(services: Sequence[ServiceLive]) -> str:
    counts: Mapping[Status, int] = {
        status: sum(one.status == status for one in services) for status in _RANK
    }
    if not services:
        return "no service has told of an error yet"
    bad = [f"{counts[status]} {status}" for status in _BAD if counts[status]]
    of = counted(len(services), "service")
    return f"{', '.join(bad)} of {of}" if bad else f"{of}, all healthy"
