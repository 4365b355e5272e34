"""The post-incident analysis of one incident as Markdown. Equal facts give equal bytes."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from faultstream.core.report import chart
from faultstream.core.report.advice import PREVENTION
from faultstream.core.report.chain import Order, Sighting
from faultstream.core.report.facts import Analysis
from faultstream.core.report.text import code, counted, escaped, length, moment, table

MOST_ERRORS: Final = 8
GOOD: Final = frozenset({"cured"})


def marks(facts: Analysis) -> list[chart.Mark]:
    """What happened, for the picture."""
    chain = facts.chain
    found = [chart.Mark(one.first_at_ms, f"release {one.release} of {one.service}")
             for one in facts.releases if one.first_at_ms >= facts.begin_ms]  # fmt: skip
    found.append(chart.Mark(chain.incident.opened_at_ms, "incident opened"))
    found += [chart.Mark(one.at_ms, f"{one.strategy}: {one.outcome}") for one in chain.verdicts]
    found += [chart.Mark(one.at_ms, f"{one.strategy} commanded") for one in chain.orders]
    if chain.incident.resolved_at_ms is not None:
        found.append(chart.Mark(chain.incident.resolved_at_ms, chain.incident.state))
    return sorted(found, key=lambda mark: mark.at_ms)


def picture(facts: Analysis) -> str:
    """The SVG that belongs to the analysis."""
    return chart.svg(facts.buckets, facts.bucket_ms, facts.begin_ms, facts.end_ms, marks(facts))


def post_incident(facts: Analysis, image: str = "") -> str:
    """The Markdown; `image` is the name of the picture's file, "" to draw with characters."""
    head = facts.chain.incident
    lines = [f"# Post-incident analysis: {escaped(head.root)}, {moment(head.opened_at_ms)}", ""]
    lines += [*_summary(facts), "", *_picture(facts, image), ""]
    for title, section in (
        ("Root cause", _root_cause(facts)),
        ("Impact", _impact(facts)),
        ("Times", _times(facts)),
        ("What was tried", _tried(facts)),
        ("Timeline", _timeline(facts)),
        ("Who was told", _told(facts)),
        ("What to do", _to_do(facts)),
        ("Ask more", _ask(facts)),
    ):
        lines += [f"## {title}", "", *section, ""]
    return "\n".join(lines).rstrip() + "\n"


def _first(facts: Analysis) -> Sighting | None:
    """The pattern with which it began."""
    mine = [one for one in facts.chain.patterns if one.service == facts.chain.incident.root]
    found = mine or facts.chain.patterns
    return min(found, key=lambda one: (one.first_at_ms, one.detected_at_ms)) if found else None


def _cure(facts: Analysis) -> str:
    return next((one.strategy for one in facts.chain.verdicts if one.outcome in GOOD), "")


def _summary(facts: Analysis) -> Iterator[str]:
    head, first = facts.chain.incident, _first(facts)
    errors = sum(one.errors for one in facts.impact)
    kind = f" of {code(first.error_type)}" if first and first.error_type else ""
    where = len({one.service for one in facts.impact})
    yield (
        f"{counted(errors, 'error')} in {counted(where, 'service')}, beginning with those{kind} in"
        f" {escaped(head.root)}. {_end(facts)}"
    )
    yield ""
    rows = [
        ["incident", code(head.incident_id)],
        ["severity", head.severity],
        ["environment", escaped(head.environment)],
        ["state", f"{head.state}: {escaped(head.reason)}"],
    ]
    if head.experiment_id:
        rows.append(["experiment", code(head.experiment_id)])
    yield from table(["", ""], rows)


def _end(facts: Analysis) -> str:
    head, cure = facts.chain.incident, _cure(facts)
    if head.resolved_at_ms is None:
        return "It is not over."
    after = length(head.resolved_at_ms - head.first_error_at_ms)
    if cure:
        return f"{code(cure)} cured it; it was over {after} after the first error."
    return f"No command cured it; it was over {after} after the first error."


def _picture(facts: Analysis, image: str) -> Iterator[str]:
    if image:
        yield f"![Errors over time, and what was done]({image})"
        return
    drawn = chart.line(facts.buckets, facts.bucket_ms, facts.begin_ms, facts.end_ms)
    yield "```text"
    yield f"errors in {length(facts.bucket_ms)}, from {moment(facts.begin_ms)}"
    yield drawn
    yield "```"


def _root_cause(facts: Analysis) -> Iterator[str]:
    """What the stream saw go before; it does not see into code, and says so."""
    chain, first = facts.chain, _first(facts)
    start = chain.incident.first_error_at_ms
    if first is None:
        known = bool(chain.incident.pattern_ids)
        asked = "A person asked for recovery; no pattern led to it."
        yield "The patterns of this incident are not stored." if known else asked
        return
    yield (
        f"- It began in **{escaped(first.service)}** with {first.kind}"
        f" {code(first.error_type)}: {escaped(first.reason)}."
    )
    for one in facts.releases:
        lead = start - one.first_at_ms
        when = f"{length(lead)} before" if lead > 0 else f"{length(-lead)} after"
        yield (
            f"- Release {code(one.release)} of {escaped(one.service)} (before: {code(one.before)})"
            f" had its first error {when} the incident's first one."
        )
    for sighting in chain.patterns:
        if sighting.kind in {"regression", "novel"}:
            yield f"- {sighting.kind} in {escaped(sighting.service)}: {escaped(sighting.reason)}."
    for sighting in chain.around:
        for link in sighting.edges:
            yield (
                f"- {escaped(link.target)} followed {escaped(link.source)} by"
                f" {length(link.lag_ms)}, {counted(link.count, 'time')} ({sighting.kind})."
            )
    if facts.earlier and facts.earlier_at_ms is not None:
        yield (
            f"- {counted(facts.earlier, 'earlier incident')} of this service had the same problem,"
            f" the last on {moment(facts.earlier_at_ms)}: a cure that does not last is no mend."
        )
    yield "- The errors themselves:"
    yield ""
    yield from _evidence(facts)
    yield ""
    yield "The stream sees order and time, not into code: this is where to look first."


def _evidence(facts: Analysis) -> Iterator[str]:
    """Equal errors once, as they came first."""
    first: dict[tuple[str, str, str], int] = {}
    times: Counter[tuple[str, str, str]] = Counter()
    for one in facts.chain.errors:
        key = (one.service, one.error_type, one.message)
        first.setdefault(key, one.at_ms - facts.chain.incident.first_error_at_ms)
        times[key] += one.count
    rows = [
        [
            f"+{length(at_ms)}",
            escaped(key[0]),
            code(key[1]),
            escaped(key[2], 160),
            f"{times[key]:,}",
        ]
        for key, at_ms in list(first.items())[:MOST_ERRORS]
    ]
    yield from table([">first after", "service", "type", "message", ">of the evidence"], rows)


def _impact(facts: Analysis) -> Iterator[str]:
    if not facts.impact:
        yield "No error of that time is stored any more."
        return
    rows = [
        [escaped(one.service), code(one.error_type), f"{one.errors:,}", f"{one.users:,}",
         length(one.last_at_ms - one.first_at_ms)]
        for one in facts.impact
    ]  # fmt: skip
    yield from table(["service", "type", ">errors", ">users", ">lasted"], rows)
    yield ""
    yield "Users are those whose id the events name."


def _times(facts: Analysis) -> Iterator[str]:
    chain, head = facts.chain, facts.chain.incident
    first_order = chain.orders[0].at_ms if chain.orders else None
    cured = next((one.at_ms for one in chain.verdicts if one.outcome in GOOD), None)
    found = min((one.detected_at_ms for one in chain.patterns), default=None)
    rows = [
        [name, moment(at_ms), f"+{length(at_ms - head.first_error_at_ms)}"]
        for name, at_ms in (
            ("first error", head.first_error_at_ms),
            ("pattern found", found),
            ("incident opened", head.opened_at_ms),
            ("first command", first_order),
            ("cured", cured),
            ("over", head.resolved_at_ms),
        )
        if at_ms is not None
    ]
    yield from table(["", "at", ">after the first error"], rows)


def _tried(facts: Analysis) -> Iterator[str]:
    chain = facts.chain
    if not chain.orders:
        yield "Nothing was commanded."
        return
    verdicts = {one.command_id: one for one in chain.verdicts}
    rows = []
    for order in chain.orders:
        verdict = verdicts.get(order.command_id)
        outcome = verdict.outcome if verdict else "not judged"
        why = escaped(verdict.reason) if verdict else ""
        after = length(order.at_ms - chain.incident.first_error_at_ms)
        answers = _answers(facts, order)
        rows.append(
            [f"+{after}", code(_name(order)), code(order.parameters), answers, outcome, why]
        )
    yield from table(
        [">after", "strategy", "parameters", "executors", "the stream saw", "why"], rows
    )
    for order in chain.orders:
        yield ""
        yield f"{code(_name(order))} was chosen because: {escaped(order.reason)}."


def _name(order: Order) -> str:
    step = f"{order.workflow}/{order.step_id}: " if order.step_id else ""
    mark = " (dry run)" if order.dry_run else " (rollback)" if order.rollback_of else ""
    return f"{step}{order.strategy}{mark}"


def _answers(facts: Analysis, order: Order) -> str:
    told = [
        f"{one.status} ({one.instance or one.executor})"
        for one in facts.chain.answers
        if one.command_id == order.command_id and one.status != "in_progress"
    ]
    return escaped(", ".join(told)) or "no answer"


def _timeline(facts: Analysis) -> Iterator[str]:
    chain, start = facts.chain, facts.chain.incident.first_error_at_ms
    steps = [(one.detected_at_ms, 1, f"{one.kind} {one.error_type} in {one.service}".strip())
             for one in [*chain.patterns, *chain.around]]  # fmt: skip
    steps += [(one.at_ms, 3, f"{one.state}: {one.reason}") for one in chain.turnings]
    steps += [(one.at_ms, 4, f"{_name(one)} to {one.service}") for one in chain.orders]
    steps += [
        (one.at_ms, 5, f"{one.executor} on {one.instance}: {one.status} {one.message}".strip())
        for one in chain.answers
    ]
    steps += [
        (one.at_ms, 2, f"{one.strategy} {one.outcome}: {one.reason}") for one in chain.verdicts
    ]
    rows = [[f"+{length(at - start)}", moment(at), escaped(what)] for at, _, what in sorted(steps)]
    yield from table([">after", "at", "what"], rows)


def _told(facts: Analysis) -> Iterator[str]:
    chain = facts.chain
    if not chain.notes:
        yield "Nobody was to be told."
        return
    titles = {one.notification_id: one for one in chain.notes}
    ended = {n for one in chain.tellings if one.kind != "grouped" for n in one.notification_ids}
    rows = [
        [f"+{length(one.at_ms - chain.incident.first_error_at_ms)}", one.kind,
         escaped(one.channel), escaped(titles[each].title), escaped(one.reason)]
        for one in chain.tellings
        for each in one.notification_ids
        if each in titles and (one.kind != "grouped" or each not in ended)
    ]  # fmt: skip
    if not rows:
        yield f"{counted(len(chain.notes), 'notification')}; no decision about them is stored."
        return
    yield from table([">after", "decision", "channel", "about", "why"], rows)


def _to_do(facts: Analysis) -> Iterator[str]:
    chain, first = facts.chain, _first(facts)
    failed = [one.strategy for one in chain.verdicts if one.outcome not in GOOD]
    cure = _cure(facts)
    if cure and failed:
        names = ", ".join(code(name) for name in dict.fromkeys(failed))
        yield f"- Consider {code(cure)} before {names}: `faultstream runbook` has all outcomes."
    if not cure and chain.orders:
        yield "- No strategy cured it: write down what a person did, and make it a strategy."
    if not chain.orders:
        yield "- Nothing was commanded: see why in the timeline, and add a route or an approval."
    for one in facts.releases:
        yield f"- Look at what changed in {escaped(one.service)} {code(one.release)}."
    for text in PREVENTION.get(first.category if first else "", ()):
        yield f"- {text}"


def _ask(facts: Analysis) -> Iterator[str]:
    head, first = facts.chain.incident, _first(facts)
    yield "```sh"
    yield f"faultstream show {head.incident_id}"
    if first is not None and first.fingerprint:
        yield f"faultstream runbook {first.fingerprint}"
    yield "```"
