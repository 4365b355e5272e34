"""One incident as a tree for a terminal: why, what was done, what came of it, who was told."""

from collections import Counter
from typing import Final

from rich.text import Text
from rich.tree import Tree

from faultstream.core.report import chain as c
from faultstream.core.report.text import clean, counted, length, moment, percent

MOST_EVIDENCE: Final = 3
_COLOURS: Final = {"resolved": "green", "closed": "green", "escalated": "red"}
_GOOD: Final = frozenset({"cured", "success", "sent"})
_BAD: Final = frozenset(
    {"failed", "recurring", "worse", "expired", "rejected", "refused", "undelivered"}
)


def tree(chain: c.Chain) -> Tree:
    """The whole of it. Times are since the first error."""
    head = chain.incident
    root = Tree(_title(head), guide_style="dim")
    _add(root, head.incident_id, style="dim")
    _add(root, f"first error {moment(head.first_error_at_ms)}, environment {head.environment}")
    if head.experiment_id:
        _add(root, f"experiment {head.experiment_id}: nobody is told")
    if head.reason:
        _add(root, clean(head.reason), style="bold")
    _why(root.add("why"), chain)
    _done(root.add("recovery"), chain)
    _states(root.add("states"), chain)
    _people(root.add("people"), chain)
    return root


def freshness(stored_at_ms: int, now_ms: int) -> str:
    """How old the newest stored row is. The recorder writes about once a second."""
    if not stored_at_ms:
        return "nothing is stored yet"
    return f"newest row stored {length(max(0, now_ms - stored_at_ms))} ago"


def state_text(state: str) -> Text:
    """The state of an incident in its colour."""
    return Text(state, _COLOURS.get(state, "yellow"))


def _title(head: c.Head) -> Text:
    text = Text(f"{clean(head.root)}: {head.severity} incident ", "bold")
    text.append_text(state_text(head.state))
    if head.resolved_at_ms is not None:
        text.append(f" after {length(head.resolved_at_ms - head.first_error_at_ms)}")
    return text


def _why(node: Tree, chain: c.Chain) -> None:
    start = chain.incident.first_error_at_ms
    if not chain.patterns:
        known = bool(chain.incident.pattern_ids)
        _add(node, "its patterns are not stored yet" if known else "a person asked for it")
    errors = {error.event_id: error for error in chain.errors}
    shown: set[str] = set()
    for one in [*chain.patterns, *chain.around]:
        what = f"{one.kind} {one.error_type}".rstrip()
        line = f"{what} in {one.service}, {counted(one.count, 'error')}: {one.reason}"
        below = _add(node, line, one.detected_at_ms - start)
        for link in one.edges:
            times = counted(link.count, "time")
            _add(below, f"{link.source} then {link.target}, {link.lag_ms} ms later, {times}")
        mine = [errors[each] for each in one.evidence if each in errors and each not in shown]
        shown.update(one.evidence)
        _evidence(below, mine, start)


def _evidence(node: Tree, errors: list[c.Error], start: int) -> None:
    """Equal errors once, as they came first."""
    first: dict[str, int] = {}
    times: Counter[str] = Counter()
    for error in errors:
        told = clean(f"{error.service} {error.error_type}: {error.message}", 200)
        first.setdefault(told, error.at_ms)
        times[told] += error.count
    for told, at_ms in list(first.items())[:MOST_EVIDENCE]:
        weight = f" (x{times[told]})" if times[told] > 1 else ""
        _add(node, told + weight, at_ms - start)
    if len(first) > MOST_EVIDENCE:
        _add(node, f"and {len(first) - MOST_EVIDENCE} more")


def _done(node: Tree, chain: c.Chain) -> None:
    start = chain.incident.first_error_at_ms
    if not chain.orders:
        _add(node, "nothing was commanded")
    verdicts = {one.command_id: one for one in chain.verdicts}
    for order in chain.orders:
        below = _add(node, _order(order), order.at_ms - start)
        if order.reason:
            _add(below, f"because {clean(order.reason)}")
        if order.approved_by:
            _add(below, f"approved by {order.approved_by}")
        answers = [one for one in chain.answers if one.command_id == order.command_id]
        for answer in answers:
            _add(below, _answer(answer), answer.at_ms - start, _style(answer.status))
        verdict = verdicts.get(order.command_id)
        if not any(one.status != "in_progress" for one in answers) and not order.dry_run:
            left_ms = order.expires_at_ms - chain.now_ms
            late = f"expires in {length(left_ms)}" if left_ms > 0 else "it has expired"
            _add(below, f"no answer is stored{'' if verdict else '; ' + late}")
        if verdict is not None:
            line = f"{verdict.outcome}: {clean(verdict.reason)}".rstrip(": ")
            _add(below, line, verdict.at_ms - start, _style(verdict.outcome))
        elif answers:
            _add(below, "not judged yet: whether the errors fall is being watched")


def _order(order: c.Order) -> str:
    what = "rollback" if order.rollback_of else "dry run" if order.dry_run else "command"
    step = f" {order.workflow}/{order.step_id}" if order.step_id else ""
    whom = "" if order.instances == ["all"] else f" ({', '.join(order.instances)})"
    return clean(
        f"{what} {order.attempt}{step}: {order.strategy} {order.parameters}"
        f" to {order.service}{whom}"
    )


def _answer(answer: c.Answer) -> str:
    who = f"{answer.executor} on {answer.instance}" if answer.instance else answer.executor
    if answer.status == "in_progress":
        share = "" if answer.progress_ratio is None else f" {percent(answer.progress_ratio)}"
        return clean(f"{who} is at it{share}: {answer.step or answer.message}".rstrip(": "))
    told = f"{answer.status} by {who} in {answer.duration_ms} ms"
    return clean(f"{told}: {answer.message}" if answer.message else told)


def _states(node: Tree, chain: c.Chain) -> None:
    before = ""
    for turning in chain.turnings:
        if turning.state != before:
            at_ms = turning.at_ms - chain.incident.first_error_at_ms
            _add(node, f"{turning.state}: {clean(turning.reason)}".rstrip(": "), at_ms)
        before = turning.state


def _people(node: Tree, chain: c.Chain) -> None:
    start = chain.incident.first_error_at_ms
    if not chain.notes:
        _add(node, "nobody was to be told")
    for note in chain.notes:
        over = " (over)" if note.status == "resolved" else ""
        below = _add(node, f"{note.level}: {clean(note.title)}{over}", note.at_ms - start)
        mine = [one for one in chain.tellings if note.notification_id in one.notification_ids]
        ended = [one for one in mine if one.kind != "grouped"]
        for telling in ended or mine:  # that it waited matters while it waits
            where = f" on {telling.channel}" if telling.channel else ""
            line = f"{telling.kind}{where}: {clean(telling.reason)}"
            _add(below, line, telling.at_ms - start, _style(telling.kind))
        if not mine:
            _add(below, "no decision is stored yet")


def _style(word: str) -> str:
    return "green" if word in _GOOD else "red" if word in _BAD else ""


def _add(node: Tree, line: str, at_ms: int | None = None, style: str = "") -> Tree:
    text = Text()
    if at_ms is not None:
        text.append(f"+{length(at_ms)}  " if at_ms >= 0 else f"{length(at_ms)}  ", "cyan")
    return node.add(text.append(clean(line, 1_000), style))
