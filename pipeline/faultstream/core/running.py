"""Running: the commands of a run, what executors answer, and what the whole comes to."""

from typing import Final

from faultstream.core import answers, commanding, learn
from faultstream.core.incident import Case, Run, Try
from faultstream.core.machine import FLYING
from faultstream.core.records import Outcome, RecoveryResult
from faultstream.core.turn import Turn, lead, situation, stands_for
from faultstream.core.workflow import to_undo

_LEARNT: Final = frozenset({"cured", "recurring", "worse", "failed", "partial", "expired"})


def issue(turn: Turn, case: Case) -> None:
    """Sends what of the run may begin now."""
    run, pattern = case.run, lead(turn, case) or stands_for(case)
    if run is None:
        return
    commanding.issue(turn, situation(turn, case, pattern), run)
    if run.failed is not None:
        _advance(turn, case, run)


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
        settle(turn, case, run, attempt, "done")
        return
    answers.say(attempt, f"{name}: {status}" + (f", {result.message}" if result.message else ""))
    if answers.failing(turn.topology, attempt, status, turn.now_ms):
        settle(turn, case, run, attempt, answers.failure(attempt))


def _alive(turn: Turn, case: Case, attempt: Try, result: RecoveryResult) -> None:
    share = "" if result.progress_ratio is None else f", {result.progress_ratio:.0%}"
    news = attempt.outcome == "pending"
    answers.alive(attempt, turn.now_ms)
    case.news_ms = turn.now_ms
    if news or result.step:
        what = f" ({result.step}{share})" if result.step else ""
        turn.feed(
            case,
            "alive",
            f"{attempt.command.strategy} goes on at {answers.who(result)}{what}",
        )


def settle(turn: Turn, case: Case, run: Run, attempt: Try, outcome: Outcome) -> None:
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
        turn.feed(case, "step", case.incident.reason)
        return
    steps = case.steps()
    if run.failed is None:
        if len(steps) == len(run.steps) and all(one.outcome == "done" for one in steps.values()):
            turn.feed(case, "done", f"{run.strategy} was carried out")
        else:
            turn.feed(case, "step", f"{run.strategy} goes on: {_progress(run, steps)}")
    elif not any(one.flying for one in steps.values()):
        run.undo = to_undo(run.steps, steps) if run.steps[0].id else []
        conclude(turn, case, run, run.failed, f"{run.strategy}: {run.failed}")


def _progress(run: Run, steps: dict[str, Try]) -> str:
    done = sum(one.outcome == "done" for one in steps.values())
    return f"{done} of {len(run.steps)} steps done"


def conclude(turn: Turn, case: Case, run: Run, outcome: Outcome, reason: str) -> None:
    """The run did not help: what it did is taken back where that is due, and on to the next."""
    run.outcome = outcome
    learned(turn, run, outcome)
    turn.feed(case, "take_back" if run.undo else "failed", reason)


def learned(turn: Turn, run: Run, outcome: Outcome) -> None:
    """Only what was seen in the stream, of what the route chose, says something about it."""
    policy = turn.topology.learning
    known = run.reference > 0 and run.route and not run.dry_run and not run.preventive
    if policy.enabled and known and outcome in _LEARNT:
        place = (run.route, run.error_type, run.strategy)
        learn.note(policy, turn.state.beliefs, place, outcome, turn.now_ms)


def undo(turn: Turn, case: Case) -> None:
    """Sends what takes the run back, one command after the other, and says when that is done."""
    run, pattern = case.run, lead(turn, case) or stands_for(case)
    if run is None or any(one.flying and one.command.rollback_of for one in case.tries):
        return
    if commanding.undo(turn, situation(turn, case, pattern), run):
        return
    if run.stuck:
        turn.feed(case, "stuck", run.stuck)
    else:
        turn.feed(case, "undone", f"{run.strategy} was taken back")
    if case.phase == "escalated" and lead(turn, case) is None:
        turn.feed(case, "stopped", f"the errors stopped; {case.incident.reason}")
