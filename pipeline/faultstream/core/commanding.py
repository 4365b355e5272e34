"""Commanding: the commands of a run, and those that take it back.

Ids are derived from the incident, the number of the run and the step, so that a replay commands
nothing twice.
"""

from faultstream.core import recall
from faultstream.core.escalate import priority
from faultstream.core.guards import (
    ASK_AGAIN_MS,
    STEP_GUARDS,
    STEP_TARGET_GUARDS,
    Refusal,
    Situation,
    paused,
)
from faultstream.core.ids import derive
from faultstream.core.incident import Case, Run, Step, Try, patterns_of
from faultstream.core.policy import StrategyPolicy
from faultstream.core.records import RecoveryCommand, Target
from faultstream.core.strategy import BY_HAND, complete, limited
from faultstream.core.turn import Turn
from faultstream.core.workflow import ready

_GONE = StrategyPolicy()
"""Stands for a strategy that was taken out of the topology while it was under way."""


def issue(turn: Turn, situation: Situation, run: Run) -> None:
    """Commands every step that may begin now; what a guard holds is tried again later.

    Sets `run.failed` when a guard refuses a step for good.
    """
    case = situation.case
    case.held_until_ms = None
    while run.failed is None:
        steps = ready(run.steps, case.steps())
        for place, step in steps:
            known = _id(case, run, step) in turn.state.recalled
            refusal = _refusal(situation, step) if run.steps[0].id and not known else None
            if refusal is not None and refusal.until_ms is None:
                run.failed, run.why = "refused", f"step {step.id}: {refusal.reason}"
                return
            if refusal is not None:
                case.held_until_ms = max(refusal.until_ms or 0, turn.now_ms + 1)
                case.incident.reason = (
                    f"{run.strategy}, step {step.id} waits: {steady(refusal.reason)}"
                )
                return
            _command(turn, situation, run, place, step)
        if not steps or not run.dry_run:
            return


def steady(reason: str) -> str:
    """A reason to wait, without what changes from one look to the next."""
    return " ".join("some" if word.isdigit() else word for word in reason.split())


def _refusal(situation: Situation, step: Step) -> Refusal | None:
    policy = situation.topology.strategies.get(step.strategy, _GONE)
    for target_guard in STEP_TARGET_GUARDS:
        refusal = target_guard(situation)
        if refusal is not None:
            return refusal
    for guard in STEP_GUARDS:
        refusal = guard(situation, step.strategy, policy)
        if refusal is not None:
            return refusal
    return None


def _command(turn: Turn, situation: Situation, run: Run, place: int, step: Step) -> None:
    topology, now = turn.topology, turn.now_ms
    case, pattern = situation.case, situation.pattern
    policy = topology.strategies.get(step.strategy, _GONE)
    incident = case.incident
    part = limited(step.strategy, step.parameters, _part(turn, case, policy))
    why = run.why + "".join(f"; only for the {scope} {name}" for scope, name in part.items())
    command = RecoveryCommand(
        command_id=_id(case, run, step),
        incident_id=incident.incident_id,
        attempt=run.number,
        step=place,
        strategy=step.strategy,
        parameters={**step.parameters, **part},
        target=_target(case, policy),
        delivery=policy.delivery,
        reason=f"{pattern.kind} {pattern.error_type or 'errors'}: {pattern.reason}; {why}",
        priority=priority(case, policy.priority),
        issued_at_ms=now,
        expires_at_ms=now + topology.guards.command_ttl_ms,
        dry_run=run.dry_run,
        approved_by=run.approved_by,
        experiment_id=incident.experiment_id or _experiment(case, run, step),
        workflow=run.strategy if step.id else "",
        step_id=step.id,
        timeout_ms=step.deadline_ms,
    )
    issued_ms = _send(turn, case, command, run.number, policy)
    turn.state.attempts.setdefault(case.service, []).append(issued_ms)
    for name in (step.strategy, run.strategy):
        whole = topology.strategies.get(name, _GONE)
        key = f"{name}@{case.service}"
        until = issued_ms + whole.cooldown_ms
        turn.state.cooldowns[key] = max(until, turn.state.cooldowns.get(key, 0))


def _id(case: Case, run: Run, step: Step) -> str:
    return derive("command", *_parts(case, run, step), *([step.id] if step.id else []))


def _parts(case: Case, run: Run, step: Step) -> tuple[str | int, ...]:
    return case.incident.incident_id, run.number, step.strategy, case.service


def _experiment(case: Case, run: Run, step: Step) -> str:
    """What is injected by hand is an experiment too, so that its errors are kept apart."""
    return derive("experiment", *_parts(case, run, step)) if step.strategy in BY_HAND else ""


def _part(turn: Turn, case: Case, policy: StrategyPolicy) -> dict[str, str]:
    """The part of the service that every pattern of the incident there names, if its strategy
    wants one. Patterns of several parts have nothing in common but the service."""
    if policy.scope == "service":
        return {}
    patterns = patterns_of(turn.state, case, case.service)
    names = {
        one.operation if policy.scope == "operation" else one.dependency
        for one in patterns
        if one.kind not in {"predicted", "cascade", "correlation"}
    }
    return {policy.scope: names.pop()} if len(names) == 1 else {}


def _send(
    turn: Turn, case: Case, command: RecoveryCommand, number: int, policy: StrategyPolicy
) -> int:
    """Sends it, the same as before if it was; when it was issued. Time to answer begins now."""
    now = turn.now_ms
    command = recall.sent(turn.state, command)
    case.tries.append(
        Try(
            command=command,
            run=number,
            outcome="dry_run" if command.dry_run else "pending",
            issued_ms=command.issued_at_ms,
            deadline_ms=now + command.timeout_ms,
            latest_ms=now + max(policy.max_run_ms, command.timeout_ms),
        )
    )
    turn.state.commands[command.command_id] = case.incident.incident_id
    turn.commands.append(command)
    return command.issued_at_ms


def _target(case: Case, policy: StrategyPolicy) -> Target:
    return Target(
        environment=case.incident.environment,
        service=case.service,
        layer=case.layer,
        instances="all" if policy.delivery == "broadcast" else "one",
    )


def undo(turn: Turn, situation: Situation, run: Run) -> bool:
    """Commands the next thing to take back. False: there is none left.

    Taking back is no attempt; it is done at most once per command. A pause holds it.
    """
    case = situation.case
    case.held_until_ms = None
    if not run.undo:
        return False
    if paused(situation) is not None:
        case.held_until_ms = turn.now_ms + ASK_AGAIN_MS
        return True
    undone = next(one for one in case.tries if one.command.command_id == run.undo[0])
    step = next(one for one in run.steps if one.id == undone.command.step_id)
    run.undo.pop(0)
    same = step.undo == step.strategy
    policy = turn.topology.strategies.get(step.undo, _GONE)
    now = turn.now_ms
    first = undone.command
    command = RecoveryCommand(
        command_id=derive("command", "undo", first.command_id),
        incident_id=first.incident_id,
        attempt=first.attempt,
        step=first.step,
        strategy=step.undo,
        parameters=first.parameters if same else complete(step.undo, policy.parameters),
        target=_target(case, policy),
        delivery=policy.delivery,
        reason=f"takes back {first.strategy}: {case.incident.reason}"[:1_000],
        priority=first.priority,
        issued_at_ms=now,
        expires_at_ms=now + turn.topology.guards.command_ttl_ms,
        approved_by=run.approved_by,
        rollback_of=first.command_id,
        experiment_id=first.experiment_id,
        workflow=first.workflow,
        step_id=first.step_id,
        timeout_ms=policy.deadline_ms,
    )
    _send(turn, case, command, run.number, policy)
    return True
