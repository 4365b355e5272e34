"""Orchestrate: does what the state machine of an incident says (see machine.py for the table).

Every command uses up a strategy of a finite route or was asked for by a person, every wait has a
deadline, so each incident ends or waits for a person.
"""

from collections.abc import Callable
from typing import Final

from faultstream.core import answers, commanding, learn, loop, verify
from faultstream.core.decide import Decision, decide
from faultstream.core.guards import Situation
from faultstream.core.incident import Case, Run, Try, patterns_of
from faultstream.core.machine import FLYING, Given, Output
from faultstream.core.records import Outcome, Pattern, RecoveryResult
from faultstream.core.severity import RANK
from faultstream.core.turn import Turn, lead, preventive, rate_of
from faultstream.core.workflow import steps_of, to_undo

_LEARNT: Final = frozenset(
    {"cured", "recurring", "worse", "failed", "partial", "expired", "refused"}
)


def feed(turn: Turn, case: Case, given: Given, reason: str) -> None:
    """Gives the machine an input and does what follows."""
    for output in turn.move(case, given, reason).does:
        _DOES[output](turn, case)


def situation(turn: Turn, case: Case, pattern: Pattern) -> Situation:
    """What a decision about the case is made on."""
    return Situation(
        topology=turn.topology,
        state=turn.state,
        case=case,
        pattern=pattern,
        service=case.service,
        layer=case.layer,
        approved=case.proposal if case.approved_by else "",
        by_hand=case.wanted is not None,
        preventive=preventive(turn.state, case),
    )


def proceed(turn: Turn, case: Case) -> None:
    """Decides what to do next about an incident, and does it."""
    pattern = lead(turn.state, case)
    if pattern is None:
        feed(turn, case, "stopped", "the errors stopped")
        return
    case.held_until_ms = None
    if case.wanted is not None and turn.now_ms >= case.wanted.until_ms:
        case.wanted = None
    if pattern is case.asked and case.wanted is None:
        feed(
            turn, case, "hand_over", "what was asked for is done or too late, and no error is open"
        )
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
            feed(turn, case, "hold", reason)
    elif decision.action == "approve":
        case.proposal, case.approved_by = decision.strategy, ""
        feed(turn, case, "ask", f"{decision.strategy} waits for approval: {decision.reason}")
    else:
        case.proposal, case.approved_by, case.wanted = "", "", None
        feed(turn, case, "hand_over", decision.reason)


def _measured(turn: Turn, case: Case, pattern: Pattern, decision: Decision) -> Decision:
    """Prevention is surer than a guess and has an end."""
    policy = turn.topology.prevention
    if pattern.confidence >= policy.min_confidence and case.runs < policy.max_commands:
        return decision
    reason = f"only predicted with confidence {pattern.confidence:.2f}, {case.runs} commands given"
    return Decision(action="hold", reason=reason, until_ms=turn.now_ms + 60_000)


def _begin(turn: Turn, case: Case, pattern: Pattern, decision: Decision) -> None:
    wanted = case.wanted
    case.runs += 1
    rate = rate_of(turn.state, case)
    approved = case.approved_by if decision.strategy == case.proposal else ""
    case.run = Run(
        number=case.runs,
        strategy=decision.strategy,
        why=decision.reason,
        steps=steps_of(
            decision.strategy,
            turn.topology.strategies,
            wanted.parameters if wanted is not None else {},
        ),
        approved_by=wanted.by if wanted is not None else approved,
        dry_run=turn.topology.guards.dry_run or (wanted is not None and wanted.dry_run),
        route=decision.route,
        error_type=pattern.error_type,
        reference=rate,
        base=rate,
    )
    if wanted is not None and (wanted.strategy or wanted.dry_run):
        case.wanted = None
    case.proposal = case.approved_by = ""
    if case.run.dry_run:
        feed(turn, case, "dry_run", f"dry run: {decision.strategy} would have been commanded")
    else:
        feed(turn, case, "command", f"{decision.strategy} commanded: {decision.reason}")


def _issue(turn: Turn, case: Case) -> None:
    run, pattern = case.run, lead(turn.state, case) or _last(case)
    if run is None:
        return
    commanding.issue(turn, situation(turn, case, pattern), run)
    if run.failed is not None:
        _advance(turn, case, run)


def _last(case: Case) -> Pattern:
    """Stands for the pattern of a case whose patterns have all closed meanwhile."""
    incident = case.incident
    return Pattern(
        pattern_id=incident.incident_id,
        revision=0,
        kind="recurring",
        state="closed",
        environment=incident.environment,
        service=case.service,
        layer=case.layer,
        category=case.category,
        error_type=case.error_type,
        first_at_ms=incident.first_error_at_ms,
        last_at_ms=incident.updated_at_ms,
        detected_at_ms=incident.opened_at_ms,
        reason=incident.reason,
    )


def answer(turn: Turn, case: Case, result: RecoveryResult) -> None:
    """An executor has answered. Answers that come too late are kept, and change nothing else."""
    attempt = next(one for one in case.tries if one.command.command_id == result.command_id)
    run = case.run
    awaited = (
        case.phase in FLYING and run is not None and attempt.run == run.number and attempt.flying
    )
    if result.status == "in_progress":
        if awaited:
            _alive(turn, case, attempt, result)
        return
    first = answers.keep(attempt, result)
    if first:
        answers.account(turn.topology, turn.state, attempt)
        turn.touch(case)
    name, status = answers.who(result), result.status
    if not awaited or run is None:
        if first:
            answers.say(attempt, f"{name} answered {status} later")
        return
    if status == "success":
        attempt.failing_since_ms = None
        answers.say(attempt, result.message or f"{name} is done")
        _settle(turn, case, run, attempt, "done")
        return
    answers.say(attempt, f"{name}: {status}" + (f", {result.message}" if result.message else ""))
    if answers.failing(turn.topology, attempt, status, turn.now_ms):
        _settle(turn, case, run, attempt, answers.failure(attempt))


def _alive(turn: Turn, case: Case, attempt: Try, result: RecoveryResult) -> None:
    share = "" if result.progress_ratio is None else f", {result.progress_ratio:.0%}"
    news = attempt.outcome == "pending"
    answers.alive(attempt, turn.now_ms)
    case.news_ms = turn.now_ms
    if news or result.step:
        what = f" ({result.step}{share})" if result.step else ""
        feed(
            turn,
            case,
            "alive",
            f"{attempt.command.strategy} goes on at {answers.who(result)}{what}",
        )


def _settle(turn: Turn, case: Case, run: Run, attempt: Try, outcome: Outcome) -> None:
    """A command has its outcome; the run goes on or ends."""
    turn.touch(case)
    attempt.outcome = outcome
    if attempt.command.rollback_of:
        if outcome == "done":
            for one in case.tries:
                if one.command.command_id == attempt.command.rollback_of:
                    one.outcome = "rolled_back"
        elif not run.stuck:
            run.stuck = f"{attempt.command.strategy} was not taken back: {attempt.reason}"
    elif outcome != "done":
        run.failed = run.failed or outcome
    _advance(turn, case, run)


def _advance(turn: Turn, case: Case, run: Run) -> None:
    """A part of the run has ended: what the whole comes to."""
    if case.phase in {"undoing", "withdrawing"}:
        feed(turn, case, "step", case.incident.reason)
        return
    steps = case.steps()
    if run.failed is None:
        if len(steps) == len(run.steps) and all(one.outcome == "done" for one in steps.values()):
            feed(turn, case, "done", f"{run.strategy} was carried out")
        else:
            feed(turn, case, "step", f"{run.strategy} goes on: {_progress(run, steps)}")
    elif not any(one.flying for one in steps.values()):
        run.undo = to_undo(run.steps, steps) if run.steps[0].id else []
        conclude(turn, case, run, run.failed, f"{run.strategy}: {run.failed}")


def _progress(run: Run, steps: dict[str, Try]) -> str:
    done = sum(one.outcome == "done" for one in steps.values())
    return f"{done} of {len(run.steps)} steps done"


def conclude(turn: Turn, case: Case, run: Run, outcome: Outcome, reason: str) -> None:
    """The run did not help: what it did is taken back where that is due, and on to the next."""
    run.outcome = outcome
    _learn(turn, run, outcome)
    feed(turn, case, "take_back" if run.undo else "failed", reason)


def _learn(turn: Turn, run: Run, outcome: Outcome) -> None:
    """Only what was seen in the stream, of what the route chose, says something about it."""
    policy = turn.topology.learning
    known = run.reference > 0 and run.route and not run.dry_run
    if policy.enabled and known and outcome in _LEARNT:
        place = (run.route, run.error_type, run.strategy)
        learn.note(policy, turn.state.beliefs, place, outcome, turn.now_ms)


def _undo(turn: Turn, case: Case) -> None:
    run, pattern = case.run, lead(turn.state, case) or _last(case)
    if run is None or any(one.flying and one.command.rollback_of for one in case.tries):
        return
    if commanding.undo(turn, situation(turn, case, pattern), run):
        return
    if run.stuck:
        feed(turn, case, "stuck", run.stuck)
    else:
        feed(turn, case, "undone", f"{run.strategy} was taken back")
    if case.phase == "escalated" and lead(turn.state, case) is None:
        feed(turn, case, "stopped", f"the errors stopped; {case.incident.reason}")


def _watch(turn: Turn, case: Case) -> None:
    if case.run is not None:
        verify.start(turn.topology, case.run, turn.now_ms)


def _tell(turn: Turn, case: Case) -> None:
    """A person is needed."""
    reason = case.incident.reason
    if case.proposal:
        turn.tell(case, "error", f"{case.service}: {case.proposal} needs approval", reason)
        return
    grave = RANK[case.incident.severity] >= RANK["critical"]
    title = f"{case.service}: not recovered, a person is needed"
    turn.tell(case, "critical" if grave else "error", title, reason)


def _alarm(turn: Turn, case: Case) -> None:
    """A person is needed, and nothing is being done."""
    title = f"{case.service}: recovery does not last"
    turn.tell(case, "critical", title, case.incident.reason)


def _finish(turn: Turn, case: Case) -> None:
    """The errors are gone. A pattern that lasts must rise above its bar to be a new fault."""
    case.incident.resolved_at_ms = turn.now_ms
    turn.tell(case, "info", f"{case.service}: resolved", case.incident.reason)
    bar = verify.bar(turn.topology, case.run) if case.run is not None else 0.0
    for pattern in patterns_of(turn.state, case, case.service):
        turn.state.sights[pattern.pattern_id].bar = bar
    loop.note(turn.state, case)


def _abandon(turn: Turn, case: Case) -> None:  # noqa: ARG001 - as all outputs
    """What is under way counts no more; what was done can still be taken back."""
    run = case.run
    case.proposal, case.approved_by, case.wanted, case.held_until_ms = "", "", None, None
    if run is None:
        return
    steps = case.steps()
    if run.outcome == "pending":
        run.undo = to_undo(run.steps, steps, flying=True)
        run.outcome = "cancelled"
    for one in case.tries:
        if one.flying or (one.outcome == "done" and one.run == run.number):
            one.outcome = "cancelled"


def _archive(turn: Turn, case: Case) -> None:
    turn.archive(case)


def _note(turn: Turn, case: Case) -> None:
    """The reason is what there is to say."""


_DOES: Final[dict[Output, Callable[[Turn, Case], None]]] = {
    "decide": proceed,
    "issue": _issue,
    "undo": _undo,
    "watch": _watch,
    "tell": _tell,
    "alarm": _alarm,
    "finish": _finish,
    "abandon": _abandon,
    "archive": _archive,
    "note": _note,
}


def watch(turn: Turn, case: Case, *, news: bool) -> None:
    """Looks at deadlines and, while verifying, at the stream. `news`: a rate was just told."""
    run = case.run
    if run is None:
        return
    if case.phase in FLYING:
        if case.phase == "recovering":
            verify.rise(turn.topology, case, run, rate_of(turn.state, case), turn.now_ms)
        for attempt in [one for one in case.tries if one.run == run.number and one.flying]:
            outcome = answers.overdue(attempt, turn.now_ms)
            if outcome is not None and case.phase in FLYING and attempt.flying:
                _settle(turn, case, run, attempt, outcome)
        return
    if case.phase == "verifying" and not preventive(turn.state, case):
        _verify(turn, case, run, news=news)


def _verify(turn: Turn, case: Case, run: Run, *, news: bool) -> None:
    rate = rate_of(turn.state, case)
    verdict = verify.judge(turn.topology, case, run, rate, turn.now_ms, news=news)
    if verdict == "waiting":
        return
    done = [one for one in case.steps().values() if one.outcome == "done"]
    if verdict == "worse":
        run.undo = to_undo(run.steps, case.steps())
    for one in done:
        one.outcome = verdict
    if verdict == "cured":
        cured(turn, case, f"{run.strategy} cured it: the stream saw the errors fall")
        return
    text = f"done, but {rate:g} errors/s go on (were {run.reference:g})"
    if verdict == "worse":
        text = f"it was made worse: {rate:g} errors/s, {run.base:g} before"
    for one in done:
        answers.say(one, text)
    conclude(turn, case, run, verdict, f"{run.strategy}: {verdict}, {text}")


def cured(turn: Turn, case: Case, reason: str) -> None:
    """The stream saw the errors of a verified run end."""
    if case.run is not None:
        case.run.outcome = "cured"
        for one in case.steps().values():
            if one.outcome == "done":
                one.outcome = "cured"
        _learn(turn, case.run, "cured")
    feed(turn, case, "cured", reason)
