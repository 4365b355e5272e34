"""Watching: deadlines of what is under way, and the stream once it is done."""

from faultstream.core import answers, recall, verify
from faultstream.core.incident import Case, Run, patterns_of
from faultstream.core.machine import FLYING
from faultstream.core.running import conclude, learned, settle
from faultstream.core.turn import Turn, preventive, rate_of
from faultstream.core.workflow import to_undo


def begin(turn: Turn, case: Case) -> None:
    """The executors are done: what the stream shows counts from now on."""
    if case.run is not None:
        verify.start(turn.topology, case.run, turn.now_ms)
        patterns = patterns_of(turn.state, case, case.service)
        verify.begun(turn.topology, case, case.run, patterns)


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
                settle(turn, case, run, attempt, outcome)
        return
    if case.phase == "verifying" and not (run.preventive and preventive(turn, case)):
        _verify(turn, case, run, news=news)


def _verify(turn: Turn, case: Case, run: Run, *, news: bool) -> None:
    rate = rate_of(turn.state, case)
    verdict = verify.judge(turn.topology, case, run, rate, turn.now_ms, news=news)
    done = [one for one in case.steps().values() if one.outcome == "done"]
    undone = recall.undone(turn.state, done)
    if undone and verdict != "worse":
        verdict = "recurring"
    if verdict == "waiting":
        return
    vain = run.preventive and run.route
    rose = verify.rose(turn.topology, run, rate)
    if verdict == "worse" or (verdict == "recurring" and (vain or rose or undone)):
        run.undo = to_undo(run.steps, case.steps())
    for one in done:
        one.outcome = verdict
    if verdict == "cured":
        cured(turn, case, f"{run.strategy} cured it: the stream saw the errors fall")
        return
    text = "it was taken back before a restart" if undone else _why(turn, run, verdict, rate)
    for one in done:
        answers.say(one, text)
    conclude(turn, case, run, verdict, f"{run.strategy}: {verdict}, {text}")


def _why(turn: Turn, run: Run, verdict: verify.Verdict, rate: float) -> str:
    """What the stream shows of a run that did not help."""
    if verdict == "worse":
        before = verify.before(turn.topology, run, rate)
        return f"it was made worse: {rate:.2g} errors/s, {before:.2g} before"
    if run.undo and run.preventive:
        return f"it prevented nothing, {rate:g} errors/s came: it is taken back"
    if run.undo:
        return (
            f"done, but errors came at {run.early[1]:.2g}/s before it and at {rate:.2g}/s now: "
            "it probably adds to them and is taken back"
        )
    return f"done, but {rate:g} errors/s go on (were {run.reference:g})"


def cured(turn: Turn, case: Case, reason: str) -> None:
    """The stream saw the errors of a verified run end."""
    if case.run is not None:
        case.run.outcome = "cured"
        for one in case.steps().values():
            if one.outcome == "done":
                one.outcome = "cured"
        learned(turn, case.run, "cured")
    turn.feed(case, "cured", reason)
