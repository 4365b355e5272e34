"""Proceed: decides what is next about an incident that nothing is under way for, and begins it."""

from faultstream.core import commanding, recall
from faultstream.core.decide import Decision, decide, route
from faultstream.core.incident import Case, Run
from faultstream.core.records import Pattern, RecoveryCommand
from faultstream.core.turn import Turn, lead, preventive, rate_of, situation, stands_for
from faultstream.core.workflow import steps_of


def proceed(turn: Turn, case: Case) -> None:
    """Decides what to do next about an incident, and does it."""
    sent = recall.next_run(turn.state, case)
    if sent is not None and (sent.workflow or sent.strategy) in turn.topology.strategies:
        _repeat(turn, case, sent)
    else:
        _decide(turn, case)


def _decide(turn: Turn, case: Case) -> None:
    pattern = lead(turn, case)
    if pattern is None:
        turn.feed(case, "stopped", "the errors stopped")
        return
    case.held_until_ms = None
    if case.wanted is not None and turn.now_ms >= case.wanted.until_ms:
        case.wanted = None
    if case.approved_by and turn.now_ms >= case.approved_until_ms:
        case.approved_by = ""
    if pattern is case.asked and case.wanted is None:
        turn.feed(case, "hand_over", "what was asked for is done or too late, and no error is open")
        return
    made = situation(turn, case, pattern)
    decision = decide(made, case.wanted)
    if made.preventive and decision.action == "command":
        decision = _measured(turn, case, pattern, decision)
    if decision.action == "command":
        _begin(turn, case, pattern, decision)
    elif decision.action == "hold":
        case.held_until_ms = max(decision.until_ms, turn.now_ms + 1)
        reason = commanding.steady(decision.reason)
        if case.phase != "open" or case.incident.reason != reason:
            turn.feed(case, "hold", reason)
    elif decision.action == "approve":
        case.proposal, case.approved_by = decision.strategy, ""
        turn.feed(case, "ask", f"{decision.strategy} waits for approval: {decision.reason}")
    else:
        case.proposal, case.approved_by, case.wanted = "", "", None
        turn.feed(case, "hand_over", decision.reason)


def _repeat(turn: Turn, case: Case, sent: RecoveryCommand) -> None:
    """What was commanded before a crash is commanded, whatever would be decided now."""
    pattern = lead(turn, case) or stands_for(case)
    case.held_until_ms = None
    strategy = sent.workflow or sent.strategy
    found = route(turn.topology, pattern)
    decision = Decision(
        action="command",
        strategy=strategy,
        reason="it was before a restart",
        route=found.name if found is not None and strategy in found.strategies else "",
    )
    _begin(turn, case, pattern, decision, sent)


def _measured(turn: Turn, case: Case, pattern: Pattern, decision: Decision) -> Decision:
    """Prevention is surer than a guess and has an end."""
    policy = turn.topology.prevention
    if pattern.confidence >= policy.min_confidence and case.runs < policy.max_commands:
        return decision
    reason = f"only predicted with confidence {pattern.confidence:.2f}, {case.runs} commands given"
    return Decision(action="hold", reason=reason, until_ms=turn.now_ms + 60_000)


def _begin(
    turn: Turn,
    case: Case,
    pattern: Pattern,
    decision: Decision,
    sent: RecoveryCommand | None = None,
) -> None:
    wanted = case.wanted
    case.runs += 1
    rate = rate_of(turn.state, case)
    approved = case.approved_by if decision.strategy == case.proposal else ""
    approved = wanted.by if wanted is not None else approved
    dry_run = turn.topology.guards.dry_run or (wanted is not None and wanted.dry_run)
    case.run = Run(
        number=case.runs,
        strategy=decision.strategy,
        why=decision.reason,
        steps=steps_of(
            decision.strategy,
            turn.topology.strategies,
            wanted.parameters if wanted is not None else {},
        ),
        approved_by=approved if sent is None else sent.approved_by,
        preventive=preventive(turn, case),
        dry_run=dry_run if sent is None else sent.dry_run,
        route=decision.route,
        error_type=pattern.error_type,
        reference=rate,
        base=rate,
    )
    if wanted is not None and (wanted.strategy or wanted.dry_run):
        case.wanted = None
    case.proposal = case.approved_by = ""
    if case.run.dry_run:
        text = f"dry run: {decision.strategy} would have been commanded: {decision.reason}"
        turn.feed(case, "dry_run", text)
    else:
        turn.feed(case, "command", f"{decision.strategy} commanded: {decision.reason}")
