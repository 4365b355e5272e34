"""Guards: what recovery may never do. Asked in order before every command, approved ones too.

A refusal is a value with its reason. `until_ms` says when to ask again; None means that waiting
does not help, so a target guard hands over to a person and a strategy guard passes it over.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from faultstream.core.incident import Case, EnvironmentState
from faultstream.core.policy import StrategyPolicy, Topology
from faultstream.core.records import Control, Pattern

ASK_AGAIN_MS: Final = 1_000


class Refusal(msgspec.Struct, frozen=True):
    """Why not, and until when."""

    reason: str
    until_ms: int | None = None


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision is made on. `approved` names the strategy that a person agreed to."""

    topology: Topology
    state: EnvironmentState
    case: Case
    pattern: Pattern
    service: str
    layer: str
    approved: str = ""

    @property
    def now_ms(self) -> int:
        """The present."""
        return self.state.now_ms


def in_force(state: EnvironmentState, kind: str, service: str) -> Control | None:
    """The control of `kind` that covers a service, if there is one."""
    for control in state.controls.values():
        if control.kind == kind and covers(control, state.environment, service):
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
    """An error that is older than a command would live is no reason for one."""
    policy = situation.topology
    limit = policy.guards.command_ttl_ms + policy.detectors.allowed_lateness_ms
    age = situation.now_ms - situation.pattern.last_at_ms
    if age <= limit:
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
    """At most `max_attempts` commands per target in the window."""
    guards = situation.topology.guards
    since = situation.now_ms - guards.attempts_window_ms
    made = [at for at in situation.state.attempts.get(situation.service, ()) if at > since]
    if len(made) < guards.max_attempts:
        return None
    minutes = guards.attempts_window_ms / 60_000
    return Refusal(f"{len(made)} commands to {situation.service} within {minutes:g} min are enough")


def untried(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """A strategy is tried once per incident."""
    if all(one.command.strategy != name for one in situation.case.tries):
        return None
    return Refusal("was tried")


def applicable(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """Some strategies help only with errors that pass by themselves."""
    if policy.only_transient and not situation.pattern.transient:
        return Refusal("only for transient errors")
    return None


def cooldown(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """The same strategy is not repeated on a target before its cool-down has passed."""
    until = situation.state.cooldowns.get(f"{name}@{situation.service}", 0)
    if until <= situation.now_ms:
        return None
    return Refusal(f"cools down for {(until - situation.now_ms + 999) // 1000} s more", until)


def healthy(situation: Situation, name: str, policy: StrategyPolicy) -> Refusal | None:  # noqa: ARG001
    """What takes capacity away needs enough healthy services around it."""
    known = situation.topology.services
    if not policy.dangerous or len(known) < 3:
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


TARGET_GUARDS: Final[tuple[Callable[[Situation], Refusal | None], ...]] = (
    paused,
    fresh,
    storm,
    attempts,
)
STRATEGY_GUARDS: Final[tuple[Callable[[Situation, str, StrategyPolicy], Refusal | None], ...]] = (
    untried,
    applicable,
    cooldown,
    healthy,
)
