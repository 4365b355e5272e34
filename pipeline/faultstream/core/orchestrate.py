"""Orchestrate: one incident, one state machine.

    open -> recovering (commanded) -> verifying (answered) -> resolved (cured)
    recovering | verifying -> open (failed, partial, expired, recurring): the next strategy
    open -> escalated (no strategy left, a guard, approval needed) -> recovering (approved)
    any -> resolved (the errors stopped) | closed (a person said so, or no news)

Every command uses up a strategy of a finite route, every wait has a deadline, so each incident
ends or waits for a person.
"""

from typing import Final

from faultstream.core import verify
from faultstream.core.decide import decide
from faultstream.core.escalate import notice, priority
from faultstream.core.guards import Situation
from faultstream.core.ids import derive
from faultstream.core.incident import MAX_ANSWERS, Case, EnvironmentState, Try, patterns_of
from faultstream.core.policy import Topology
from faultstream.core.records import (
    Incident,
    IncidentState,
    Level,
    Notification,
    Outcome,
    Pattern,
    RecoveryCommand,
    RecoveryResult,
    Target,
)
from faultstream.core.severity import RANK
from faultstream.core.strategy import complete

GRACE_MS: Final = 1_000
"""After a first failure, other instances have this long to do better."""

Output = Incident | RecoveryCommand | Notification | Pattern


class Turn:
    """One step: the state it works on and what it has said so far."""

    __slots__ = ("commands", "notices", "patterns", "state", "topology", "touched")

    def __init__(self, topology: Topology, state: EnvironmentState) -> None:
        self.topology = topology
        self.state = state
        self.commands: list[RecoveryCommand] = []
        self.notices: list[Notification] = []
        self.patterns: list[Pattern] = []
        self.touched: dict[str, Case] = {}

    @property
    def now_ms(self) -> int:
        """The present."""
        return self.state.now_ms

    def set(self, case: Case, state: IncidentState, reason: str) -> None:
        """Moves an incident to another state."""
        case.incident.state = state
        case.incident.reason = reason
        self.touched[case.incident.incident_id] = case

    def tell(self, case: Case, level: Level, title: str, reason: str) -> None:
        """Tells people."""
        made = notice(case, level, title, reason, self.now_ms)
        if made is not None:
            self.notices.append(made)

    def touch(self, case: Case) -> None:
        """Marks a case as changed."""
        self.touched[case.incident.incident_id] = case


def lead(state: EnvironmentState, case: Case) -> Pattern | None:
    """The pattern a decision is made on: of the root service, with a category, the gravest."""
    found = patterns_of(state, case, case.service)
    if not found:
        return None
    return max(found, key=lambda one: (bool(one.category), RANK[one.severity], -one.first_at_ms))


def rate_of(state: EnvironmentState, case: Case) -> float:
    """The highest rate among the patterns of the incident's root service."""
    return max((one.rate for one in patterns_of(state, case, case.service)), default=0.0)


def proceed(turn: Turn, case: Case) -> None:
    """Decides what to do next about an open incident, and does it."""
    pattern = lead(turn.state, case)
    if pattern is None:
        return
    situation = Situation(
        topology=turn.topology,
        state=turn.state,
        case=case,
        pattern=pattern,
        service=case.service,
        layer=case.layer,
        approved=case.proposal if case.approved_by else "",
    )
    decision = decide(situation)
    case.held_until_ms = None
    if decision.action == "command":
        _command(turn, case, pattern, decision.strategy, decision.reason)
        return
    if decision.action == "hold":
        case.held_until_ms = max(decision.until_ms, turn.now_ms + 1)
        if case.incident.state != "open" or case.incident.reason != _steady(decision.reason):
            turn.set(case, "open", _steady(decision.reason))
        return
    case.proposal, case.approved_by = decision.strategy, ""
    if decision.action == "approve":
        reason = f"{decision.strategy} waits for approval: {decision.reason}"
        turn.set(case, "escalated", reason)
        turn.tell(case, "error", f"{case.service}: {decision.strategy} needs approval", reason)
        return
    turn.set(case, "escalated", decision.reason)
    grave = RANK[case.incident.severity] >= RANK["critical"]
    turn.tell(
        case,
        "critical" if grave else "error",
        f"{case.service}: not recovered, a person is needed",
        decision.reason,
    )


def _steady(reason: str) -> str:
    """A reason to wait, without what changes from one look to the next."""
    words = reason.split()
    return " ".join("some" if word.isdigit() else word for word in words)


def _command(turn: Turn, case: Case, pattern: Pattern, strategy: str, why: str) -> None:
    topology, state, now = turn.topology, turn.state, turn.now_ms
    policy = topology.strategies[strategy]
    guards = topology.guards
    attempt = len(case.tries) + 1
    incident = case.incident
    command = RecoveryCommand(
        command_id=derive("command", incident.incident_id, attempt, strategy, case.service),
        incident_id=incident.incident_id,
        attempt=attempt,
        strategy=strategy,
        parameters=complete(strategy, policy.parameters),
        target=Target(
            environment=incident.environment,
            service=case.service,
            layer=case.layer,
            instances="all" if policy.delivery == "broadcast" else "one",
        ),
        delivery=policy.delivery,
        reason=f"{pattern.kind} {pattern.error_type or 'errors'}: {pattern.reason}; {why}",
        priority=priority(case, policy.priority),
        issued_at_ms=now,
        expires_at_ms=now + guards.command_ttl_ms,
        dry_run=guards.dry_run,
        timeout_ms=policy.deadline_ms,
        approved_by=case.approved_by,
        experiment_id=incident.experiment_id,
    )
    case.tries.append(
        Try(
            command=command,
            outcome="dry_run" if guards.dry_run else "pending",
            issued_ms=now,
            deadline_ms=now + policy.deadline_ms,
            reference=rate_of(state, case),
        )
    )
    case.proposal = case.approved_by = ""
    state.commands[command.command_id] = incident.incident_id
    state.attempts.setdefault(case.service, []).append(now)
    state.cooldowns[f"{strategy}@{case.service}"] = now + policy.cooldown_ms
    turn.commands.append(command)
    if guards.dry_run:
        turn.set(case, "open", f"dry run: {strategy} would have been commanded")
    else:
        turn.set(case, "recovering", f"{strategy} commanded: {why}")


def answer(turn: Turn, case: Case, result: RecoveryResult) -> None:
    """An executor has answered. Answers that come too late are kept, and change nothing else."""
    attempt = next(one for one in case.tries if one.command.command_id == result.command_id)
    who = result.instance or result.executor
    if result.status == "in_progress":
        _alive(turn, case, attempt)
        return
    first = who not in attempt.answers
    if first and len(attempt.answers) < MAX_ANSWERS:
        attempt.answers[who] = result.status
    waiting = (
        case.incident.state == "recovering"
        and attempt is case.current
        and attempt.outcome in {"pending", "running"}
    )
    if not waiting:
        if first:
            _note(attempt, f"{who} answered {result.status} later")
            turn.touch(case)
        return
    if result.status == "success":
        attempt.outcome = "done"
        attempt.failing_since_ms = None
        _note(attempt, result.message or f"{who} is done")
        verify.start(turn.topology, attempt, turn.now_ms)
        turn.set(case, "verifying", f"{attempt.command.strategy} was carried out by {who}")
        return
    _note(attempt, f"{who}: {result.status}" + (f", {result.message}" if result.message else ""))
    turn.touch(case)
    if attempt.failing_since_ms is None:
        attempt.failing_since_ms = turn.now_ms
    service = turn.topology.services.get(case.service)
    known = service.instances if service is not None else None
    alone = attempt.command.delivery == "exactly_one"
    if alone or (known is not None and len(attempt.answers) >= known):
        give_up(turn, case, _failure(attempt), "")


def _alive(turn: Turn, case: Case, attempt: Try) -> None:
    """A sign of life: the command has its time anew, within `max_run_ms` in all."""
    waiting = case.incident.state == "recovering" and attempt is case.current
    if not waiting or attempt.outcome not in {"pending", "running"}:
        return
    policy = turn.topology.strategies[attempt.command.strategy]
    latest = attempt.issued_ms + max(policy.max_run_ms, policy.deadline_ms)
    attempt.deadline_ms = max(attempt.deadline_ms, min(turn.now_ms + policy.deadline_ms, latest))
    if attempt.outcome == "pending":
        attempt.outcome = "running"
        turn.touch(case)


def _failure(attempt: Try) -> Outcome:
    statuses = set(attempt.answers.values())
    if "partial" in statuses:
        return "partial"
    if "failed" in statuses:
        return "failed"
    return "expired" if statuses == {"expired"} else "refused"


def _note(attempt: Try, text: str) -> None:
    joined = f"{attempt.reason}; {text}" if attempt.reason else text
    attempt.reason = joined[:1_000]


def give_up(turn: Turn, case: Case, outcome: Outcome, why: str) -> None:
    """The current command did not help: on to the next strategy."""
    attempt = case.current
    if attempt is None:
        return
    attempt.outcome = outcome
    if why:
        _note(attempt, why)
    turn.set(case, "open", f"{attempt.command.strategy}: {outcome}")
    proceed(turn, case)


def watch(turn: Turn, case: Case, *, news: bool) -> bool:
    """Looks at deadlines and at the stream. True: the incident is cured."""
    attempt, now = case.current, turn.now_ms
    if attempt is None:
        return False
    if case.incident.state == "recovering":
        failing = attempt.failing_since_ms
        if failing is not None and now >= min(failing + GRACE_MS, attempt.deadline_ms):
            give_up(turn, case, _failure(attempt), "")
        elif now >= attempt.deadline_ms:
            length = (attempt.deadline_ms - attempt.issued_ms) / 1000
            give_up(turn, case, "expired", f"nobody answered within {length:g} s")
        else:
            attempt.reference = max(attempt.reference, rate_of(turn.state, case))
        return False
    if case.incident.state != "verifying":
        return False
    rate = rate_of(turn.state, case)
    verdict = verify.judge(turn.topology, attempt, rate, now, news=news)
    if verdict == "recurring":
        was = attempt.reference
        give_up(turn, case, "recurring", f"done, but {rate:g} errors/s go on (were {was:g})")
    elif verdict == "cured":
        attempt.outcome = "cured"
        return True
    return False
