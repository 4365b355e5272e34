"""The runbook of a problem, from what really worked, as Markdown. Equal facts give equal bytes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from faultstream.core.report.advice import PREVENTION
from faultstream.core.report.facts import Past, Runbook, Tried
from faultstream.core.report.text import (
    code,
    counted,
    day,
    escaped,
    length,
    moment,
    percent,
    table,
)
from faultstream.core.report.wilson import bounds

MOST_PROBLEMS: Final = 10
MOST_INCIDENTS: Final = 10
HOPELESS_TRIES: Final = 3
"""A strategy that never cured in so many tries is not to be tried first."""


def best(tried: list[Tried]) -> list[Tried]:
    """By what is proven: the lower end of Wilson's interval, then cures, then fewer tries."""
    return sorted(
        tried,
        key=lambda one: (-bounds(one.cured, one.tries)[0], -one.cured, one.tries, one.strategy),
    )


def runbook(facts: Runbook) -> str:
    """The Markdown."""
    lines = [f"# Runbook: {escaped(facts.title)}", ""]
    for title, section in (
        ("What it is", _what(facts)),
        ("How often", _often(facts)),
        ("What worked", _worked(facts)),
        ("Usual causes", _causes(facts)),
        ("Diagnosis", _diagnosis(facts)),
        ("Prevention", _prevention(facts)),
        ("Last incidents", _last(facts)),
    ):
        lines += [f"## {title}", "", *section, ""]
    return "\n".join(lines).rstrip() + "\n"


def contents(types: Sequence[tuple[str, int, int, int]]) -> str:
    """The list of error types: name, errors, incidents, the last one's time."""
    lines = ["# Error types", ""]
    if types:
        rows = [
            [code(name), f"{errors:,}", f"{incidents:,}", moment(last)]
            for name, errors, incidents, last in types
        ]
        lines += table(["type", ">errors", ">incidents", "last"], rows)
        lines += ["", "`faultstream runbook TYPE` writes the runbook of one."]
    else:
        lines.append("No error is stored.")
    return "\n".join(lines) + "\n"


def _what(facts: Runbook) -> Iterator[str]:
    types = sorted({one.error_type for one in facts.problems})
    categories = sorted({one.category for one in facts.problems if one.category})
    passing = "may pass by itself" if facts.transient else "does not pass by itself"
    shown = ", ".join(code(name) for name in types)
    yield f"{shown}, category {', '.join(categories) or 'unknown'}; it {passing}."
    if facts.severities:
        levels = ", ".join(f"{one.name} ({one.count:,})" for one in facts.severities)
        yield f"Severity of its patterns: {levels}."
    yield ""
    rows = [
        [
            code(one.fingerprint[:8]),
            escaped(one.service),
            f"{one.errors:,}",
            escaped(one.template, 120),
        ]
        for one in facts.problems[:MOST_PROBLEMS]
    ]
    yield from table(["fingerprint", "service", ">errors", "message"], rows)
    more = len(facts.problems) - MOST_PROBLEMS
    if more > 0:
        yield ""
        yield f"And {counted(more, 'more fingerprint')} of it."


def _often(facts: Runbook) -> Iterator[str]:
    errors = sum(one.errors for one in facts.problems)
    first = min(one.first_at_ms for one in facts.problems)
    last = max(one.last_at_ms for one in facts.problems)
    yield (
        f"{counted(errors, 'error')} from {moment(first)} to {moment(last)}, in"
        f" {counted(len(facts.incidents), 'incident')}."
    )
    over = [one for one in facts.incidents if one.resolved_at_ms is not None]
    cured = [one for one in over if one.cured_by]
    if facts.incidents:
        took = sorted(
            one.resolved_at_ms - one.first_error_at_ms
            for one in over
            if one.resolved_at_ms is not None
        )
        median = f"; half of them within {length(took[(len(took) - 1) // 2])}" if took else ""
        yield f"Cured by a command: {len(cured)}; over: {len(over)}{median}."
    if facts.returned:
        yield f"Came back within a day: {counted(facts.returned, 'time')}."
    if facts.kinds:
        kinds = ", ".join(f"{one.name} {one.count}" for one in facts.kinds)
        yield f"Found as: {kinds}."


def _worked(facts: Runbook) -> Iterator[str]:
    if not facts.tried:
        yield "Nothing was tried and judged yet."
        cures = Counter(one.cured_by for one in facts.incidents if one.cured_by)
        for strategy, count in sorted(cures.items(), key=lambda each: (-each[1], each[0])):
            whole = counted(len(facts.incidents), "incident")
            yield ""
            yield f"{code(strategy)} at the root cured {count} of the {whole} that it was part of."
        return
    rows = []
    for one in best(facts.tried):
        low, high = bounds(one.cured, one.tries)
        took = "" if one.cure_ms is None else length(one.cure_ms)
        share = percent(one.cured / one.tries) if one.tries else ""
        rows.append(
            [code(one.strategy), str(one.tries), str(one.cured), share,
             f"{percent(low)} to {percent(high)}", str(one.recurring), str(one.failed),
             str(one.worse), str(one.expired), took, day(one.last_at_ms)]
        )  # fmt: skip
    heads = ["strategy", ">tries", ">cured", ">share", ">95 % sure", ">recurring", ">failed",
             ">worse", ">expired", ">cured in", "last"]  # fmt: skip
    yield from table(heads, rows)
    yield ""
    yield (
        "Cured is what the stream saw: the errors fell and stayed away. The range is Wilson's 95 %"
        " interval; the list is in the order of its lower end, so few tries do not look better than"
        " many."
    )
    top = best(facts.tried)[0]
    yield ""
    if top.cured:
        yield f"**Try {code(top.strategy)} first.**"
    else:
        yield "**Nothing cured it yet: call who owns the service.**"


def _causes(facts: Runbook) -> Iterator[str]:
    incidents = len(facts.incidents)
    told = False
    for one in facts.roots:
        told = True
        whole = counted(incidents, "incident")
        yield f"- A symptom of {escaped(one.name)} in {one.count} of {whole}."
    for one in facts.leads:
        told = True
        yield (
            f"- Errors of {escaped(one.name)} went before it,"
            f" {counted(one.count, 'time')}, by {length(one.ms)}."
        )
    for one in facts.causes:
        told = True
        yield f"- Innermost exception {code(one.name)}: {counted(one.count, 'error')}."
    for release in facts.releases:
        told = True
        yield (
            f"- Release {code(release.release)} of {escaped(release.service)} (before:"
            f" {code(release.before)}) had its first error on {moment(release.first_at_ms)}, when"
            " an incident began."
        )
    if not told:
        yield "No cascade, cause or release goes with it so far."


def _diagnosis(facts: Runbook) -> Iterator[str]:
    first = facts.problems[0]
    services = sorted({one.service for one in facts.problems})
    prints = ", ".join(_quoted(one.fingerprint) for one in facts.problems[:MOST_PROBLEMS])
    yield "1. What is open now, and the whole chain of the last one:"
    yield ""
    yield "```sh"
    yield from (f"faultstream incidents --service {each}" for each in _roots(facts, services))
    if facts.incidents:
        yield f"faultstream show {facts.incidents[0].incident_id[:8]}"
    yield "```"
    yield ""
    yield "2. The latest of these errors, and where they come from:"
    yield ""
    yield "```sql"
    yield "SELECT time, service, instance, release, operation, message, trace_id FROM errors"
    yield f"WHERE fingerprint IN ({prints}) ORDER BY time DESC LIMIT 20"
    yield "```"
    yield ""
    yield "3. Whether they belong to one release, instance or operation:"
    yield ""
    yield "```sql"
    yield "SELECT release, instance, operation, sum(count) AS errors FROM errors"
    yield f"WHERE fingerprint IN ({prints}) AND time > now() - INTERVAL 1 DAY"
    yield "GROUP BY ALL ORDER BY errors DESC LIMIT 20"
    yield "```"
    yield ""
    yield "4. What else went wrong in the same minutes:"
    yield ""
    yield "```sql"
    yield "SELECT minute, service, category, sum(errors) AS errors FROM errors_per_minute"
    yield f"WHERE environment = {_quoted(first.environment)} AND minute > now() - INTERVAL 1 HOUR"
    yield "GROUP BY ALL ORDER BY minute, errors DESC"
    yield "```"


def _roots(facts: Runbook, services: list[str]) -> list[str]:
    """Where its incidents begin: words only, because they go into a shell."""
    named = sorted({one.root for one in facts.incidents}) or services
    return [each for each in named if each.replace("-", "").replace("_", "").isalnum()][:3]


def _prevention(facts: Runbook) -> Iterator[str]:
    ordered = best(facts.tried)
    if ordered and ordered[0].cured:
        yield f"- Put {code(ordered[0].strategy)} first in the route that takes it (topology.yaml)."
    for one in ordered:
        if one.tries >= HOPELESS_TRIES and not one.cured:
            yield f"- {code(one.strategy)} never cured it in {one.tries} tries: take it out."
    if facts.returned:
        yield f"- It came back {counted(facts.returned, 'time')} within a day: mend the cause."
    for release in facts.releases[:3]:
        name = f"{escaped(release.service)} {code(release.release)}"
        yield f"- Release by steps, and watch for it: {name} brought it along."
    for category in sorted({one.category for one in facts.problems}):
        for text in PREVENTION.get(category, ()):
            yield f"- {text}"


def _last(facts: Runbook) -> Iterator[str]:
    if not facts.incidents:
        yield "It was in no incident yet."
        return
    rows = [
        [moment(one.opened_at_ms), escaped(one.root), one.severity, one.state, _took(one),
         code(one.cured_by) or "nothing", code(one.incident_id[:8])]
        for one in facts.incidents[:MOST_INCIDENTS]
    ]  # fmt: skip
    yield from table(
        ["opened", "service", "severity", "state", ">over after", "cured by", "id"], rows
    )


def _took(one: Past) -> str:
    if one.resolved_at_ms is None:
        return ""
    return length(one.resolved_at_ms - one.first_error_at_ms)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
