"""Guards: what recovery may never do. Asked in order before every command, approved ones, those
that a person asked for and every step of a workflow too.

A refusal is a value with its reason. `until_ms` says when to ask again; None means that waiting
does not help, so a target guard hands over to a person and a strategy guard passes it over.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from faultstream.core.incident import MAX_TRIES, Case, EnvironmentState
from faultstream.core.policy import Danger, StrategyPolicy, Topology
from faultstream.core.records import Control, Pattern
from faultstream.core.strategy import BY_HAND

ASK_AGAIN_MS: Final = 1_000
DANGERS: Final[tuple[Danger, ...]] = ("low", "medium", "high")


class Refusal(msgspec.Struct, frozen=True):
    """Why not, and until when."""

    reason: str
    until_ms: int | None = None


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision is made on. `approved` names the strategy that a person agreed to;
    `by_hand`: a person asked for recovery; `preventive`: nothing has happened yet."""

    topology: Topology
    state: EnvironmentState
    case: Case
    pattern: Pattern
    service: str
    layer: str
    approved: str = ""
    by_hand: bool = False
    preventive: bool = False

    @property
    def now_ms(self) -> int:
        """The present."""
        return self.state.now_ms


Guard = Callable[[Situation], Refusal | None]
StrategyGuard = Callable[[Situation, str, StrategyPolicy], Refusal | None]


def in_force(state: EnvironmentState, kind: str, service: str) -> Control | None:
    """The control of `kind` that covers a service, if there is one."""
    for control in state.controls.values():
        over = control.until_at_ms is not None and control.until_at_ms <= state.now_ms
        holds = control.begun(state.now_ms) and not over
        if control.kind == kind and holds and covers(control, state.environment, service):
            return control
    return None


def covers(control: Control, environment: str, service: str) -> bool:
    """Whether a control is for this service: by `environment`, and by `parameters.service` or
    the last part of its subject (`pause`, `pause/*`, `pause/production`, `pause/orders`)."""
    if control.environment and control.environment != environment:
        return False
    named = control.parameters.get("service")
    if isinstance(named, str) and named:
        return named in ("*", service)
    last = control.subject.replace(":", "/").rsplit("/", 1)[-1]
    return last in ("", "*", "all", "environment", control.kind, environment, service)


def danger_of(topology: Topology, policy: StrategyPolicy) -> Danger:
    """The danger of a strategy; of a workflow that of its most dangerous step."""
    parts = [topology.strategies.get(step.strategy) for step in policy.steps]
    levels = [policy.danger, *(one.danger for one in parts if one is not None)]
    return max(levels, key=DANGERS.index)


def paused(situation: Situation) -> Refusal | None:
    """Nothing is commanded while paused, by topology or by a person."""
    again = situation.now_ms + ASK_AGAIN_MS
    if situation.topology.guards.paused:
        return Refusal("recovery is paused in the topology", again)
    control = in_force(situation.state, "pause", situation.service)
    if control is None:
        return None
    by = f" by {control.by}" if control.by else ""
    why = f": {control.reason}" if control.reason else ""
    return Refusal(f"recovery is paused{by}{why}", again)


def fresh(situation: Situation) -> Refusal | None:
    """An error that is older than a command would live is no reason for one, unless a person
    wants it; nor is a prediction whose time is over."""
    policy = situation.topology
    if situation.preventive:
        due_ms = situation.pattern.due_at_ms
        if due_ms is None or situation.now_ms < due_ms:
            return None
        late_s = (situation.now_ms - due_ms) // 1000
        again = situation.now_ms + 60 * ASK_AGAIN_MS
        return Refusal(f"the prediction was for {late_s} s ago", again)
    limit = policy.guards.command_ttl_ms + policy.detectors.allowed_lateness_ms
    age = situation.now_ms - situation.pattern.last_at_ms
    if age <= limit or situation.by_hand:
        return None
    return Refusal(
        f"the last error is {age // 1000} s old, waiting for news",
        situation.now_ms + ASK_AGAIN_MS,
    )


def storm(situation: Situation) -> Refusal | None:
    """With too many incidents at once the cause is somewhere else."""
    limit = situation.topology.guards.storm_incidents
    count = len(situation.state.cases)
    if count <= limit:
        return None
    return Refusal(
        f"storm: {count} incidents at once, more than {limit}", situation.now_ms + ASK_AGAIN_MS
    )


def attempts(situation: Situation) -> Refusal | None:
    """At most `max_attempts` commands per target in the window. Those that nobody attempted do
    not count."""
    guards = situation.topology.guards
    made = _recent(situation)
    if made < guards.max_attempts and len(situation.case.tries) < MAX_TRIES:
        return None
    minutes = guards.attempts_window_ms / 60_000
    return Refusal(f"{made} commands to {situation.service} within {minutes:g} min are enough")


def room(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """A workflow is not begun when the target may not have all of its commands."""
    left = situation.topology.guards.max_attempts - _recent(situation)
    if len(policy.steps) <= left:
        return None
    return Refusal(f"has {len(policy.steps)} steps, only {left} commands are left")


def _recent(situation: Situation) -> int:
    since = situation.now_ms - situation.topology.guards.attempts_window_ms
    return sum(at > since for at in situation.state.attempts.get(situation.service, ()))


def untried(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """A strategy is tried once per incident."""
    if all(one.strategy != name for one in situation.case.tries if not one.command.dry_run):
        return None
    return Refusal("was tried")


def applicable(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """Some strategies help only with some errors, or need more than one instance."""
    pattern = situation.pattern
    if policy.only_transient and not pattern.transient:
        return Refusal("only for transient errors")
    if policy.categories and pattern.category and pattern.category not in policy.categories:
        return Refusal(f"only for {', '.join(policy.categories)} errors")
    known = situation.topology.services.get(situation.service)
    if known is not None and known.instances is not None and known.instances < policy.min_instances:
        return Refusal(f"needs {policy.min_instances} instances, there are {known.instances}")
    return None


def prevention(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """What has not happened yet is met with little danger only."""
    most = situation.topology.prevention.max_danger
    danger = danger_of(situation.topology, policy)
    if not situation.preventive or DANGERS.index(danger) <= DANGERS.index(most):
        return None
    return Refusal(f"danger {danger}, prevention may have {most}")


def switched_on(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """What the topology switches off is never commanded, nor is a workflow that needs it."""
    steps = (situation.topology.strategies.get(step.strategy) for step in policy.steps)
    if all(one.enabled for one in (policy, *steps) if one is not None):
        return None
    return Refusal("switched off in the topology")


def by_hand(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """Some strategies only a person may name."""
    return Refusal("only by hand") if name in BY_HAND else None


def cooldown(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:
    """The same strategy is not repeated on a target before its cool-down has passed; of a
    workflow, nor are its steps."""
    names = [name, *(step.strategy for step in policy.steps)]
    cooldowns = situation.state.cooldowns
    until = max(cooldowns.get(f"{one}@{situation.service}", 0) for one in names)
    if until <= situation.now_ms:
        return None
    return Refusal(f"cools down for {(until - situation.now_ms + 999) // 1000} s more", until)


def healthy(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """What takes capacity away needs enough healthy services around it."""
    known = situation.topology.services
    if danger_of(situation.topology, policy) == "low" or len(known) < 3:
        return None
    ill = {case.service for case in situation.state.cases.values()} & known.keys()
    share = 1 - len(ill | ({situation.service} & known.keys())) / len(known)
    least = situation.topology.guards.min_healthy_ratio
    if share >= least:
        return None
    return Refusal(
        f"only {share:.0%} of the services are healthy, {least:.0%} are needed",
        situation.now_ms + ASK_AGAIN_MS,
    )


TARGET_GUARDS: Final[tuple[Guard, ...]] = (paused, fresh, storm, attempts)
STRATEGY_GUARDS: Final[tuple[StrategyGuard, ...]] = (
    switched_on,
    by_hand,
    untried,
    applicable,
    prevention,
    room,
    cooldown,
    healthy,
)
STEP_TARGET_GUARDS: Final[tuple[Guard, ...]] = (paused, storm, attempts)
"""What every later step of a workflow is held to as well, together with the next ones."""
STEP_GUARDS: Final[tuple[StrategyGuard, ...]] = (switched_on, prevention, cooldown, healthy)
CHOSEN: Final = frozenset({by_hand, untried, applicable})
"""Not asked when a person named the strategy."""
