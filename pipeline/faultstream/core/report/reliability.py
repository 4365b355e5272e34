"""The reliability report: how good recovery was in a stretch of time, goal by goal, and what to do
about it. Pure; equal facts give equal bytes.

What people or clients said decides what is right and wrong: a correction, a category that a client
gave, an incident closed as a false alarm. What nobody said is taken to be right, so these figures
are upper bounds; `faultstream quality` measures on data with labels.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from faultstream.core.report.goal import Goal
from faultstream.core.report.text import (
    code,
    counted,
    escaped,
    length,
    moment,
    percent,
    rough,
    table,
)

DETECT_MS: Final = 120_000
RECOVER_MS: Final = 300_000
RECOVERED: Final = 0.80
FALSE: Final = 0.05
RIGHT: Final = 0.95
FOUND: Final = 0.80
MOST: Final = 10
_HOPELESS_TRIES: Final = 3
_MORE: Final = 2.0
_MUCH: Final = 30
_UNKNOWN: Final = 0.05


class Outage(msgspec.Struct, frozen=True):
    """A critical incident of a service, as far as it lies in the report's time."""

    environment: str
    service: str
    begin_ms: int
    end_ms: int


class Errors(msgspec.Struct, frozen=True):
    """Errors of a service in the report's time, and in as long a time before it."""

    environment: str
    service: str
    errors: int
    before: int


class Strategy(msgspec.Struct, frozen=True):
    """What came of a strategy; `tries` are those that were judged, `expired` had no answer."""

    name: str
    tries: int
    cured: int
    worse: int
    expired: int


class Again(msgspec.Struct, frozen=True):
    """A fault that made several incidents."""

    service: str
    error_type: str
    incidents: int


class Waiting(msgspec.Struct, frozen=True):
    """An incident that waits for a person."""

    incident_id: str
    service: str
    severity: str
    opened_at_ms: int
    reason: str


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """What is read. Incidents are those that opened in the time; experiments are left out.

    `detect_ms` are of critical and fatal ones, `recover_ms` of those that a command cured, both
    from the first error. `recoverable` incidents had a command that was judged. `recurring` are
    fingerprints with ten errors or more in an hour, `found` those that a pattern tells of.
    """

    environment: str
    begin_ms: int
    end_ms: int
    services: list[Errors]
    outages: list[Outage]
    incidents: int
    open: int
    false_alarms: int
    detect_ms: list[int]
    recover_ms: list[int]
    recoverable: int
    cured: int
    errors: int
    otherwise: int
    """Errors that people or clients put into another category."""
    unknown: int
    """Errors that neither a rule nor the model knew."""
    unknown_type: str
    recurring: int
    found: int
    strategies: list[Strategy]
    again: list[Again]
    waiting: list[Waiting]
    dead_letters: int
    undelivered: int


def goals(facts: Reliability, availability: float) -> list[Goal]:
    """Each goal with what was measured; `availability` is the share of time that is wanted."""
    down = downtimes(facts)
    worst = max(down.values(), default=0)
    whole_ms = facts.end_ms - facts.begin_ms
    names = len(down.keys() | {(one.environment, one.service) for one in facts.services})
    up = 1 - worst / whole_ms
    closed, as_said = facts.incidents - facts.open, facts.errors - facts.otherwise
    return [
        Goal(
            name="availability of the worst service",
            wanted=f"{100 * availability:.6g} %",
            figure=up if names else None,
            shown=f"{100 * up:.3f} %" if names else "",
            met=up >= availability if names else None,
            of=f"{counted(names, 'service')}, down while a critical incident is open",
        ),
        _quick("time to detect, critical, mean", facts.detect_ms, DETECT_MS),
        _quick("time to recover, automatic, mean", facts.recover_ms, RECOVER_MS),
        _share("recovered", facts.cured, facts.recoverable, "incidents with a command", RECOVERED),
        _share(
            "false alarms, as far as told",
            facts.false_alarms,
            closed,
            "closed incidents; what nobody called false counts as true",
            FALSE,
            least=False,
        ),
        _share(
            "categorised right, as far as told",
            as_said,
            facts.errors,
            "errors; what nobody corrected counts as right",
            RIGHT,
        ),
        _share("recurring faults found", facts.found, facts.recurring, "fingerprints", FOUND),
    ]


def _quick(name: str, took: Sequence[int], most_ms: int) -> Goal:
    wanted = f"< {rough(most_ms)}"
    if not took:
        return Goal(name=name, figure=None, shown="", wanted=wanted, met=None, of="no incident")
    ordered = sorted(took)
    mean = sum(ordered) // len(ordered)
    late = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return Goal(
        name=name,
        wanted=wanted,
        figure=mean,
        shown=length(mean),
        met=mean < most_ms,
        of=f"{counted(len(ordered), 'incident')}, 95 % within {length(late)}",
    )


def _share(name: str, part: int, whole: int, of: str, bar: float, *, least: bool = True) -> Goal:
    wanted = f"{'>' if least else '<'} {bar:.0%}".replace("%", " %")
    if not whole:
        return Goal(
            name=name,
            figure=None,
            shown="",
            wanted=wanted,
            met=None,
            of=f"no {of.partition(';')[0]}",
        )
    ratio = part / whole
    return Goal(
        name=name,
        wanted=wanted,
        figure=ratio,
        shown=percent(ratio),
        met=ratio > bar if least else ratio < bar,
        of=f"{part:,} of {whole:,} {of}",
    )


def downtimes(facts: Reliability) -> dict[tuple[str, str], int]:
    """Milliseconds in which a critical incident was open, by environment and service; what
    overlaps counts once."""
    found: dict[tuple[str, str], int] = {}
    until: dict[tuple[str, str], int] = {}
    for one in sorted(facts.outages, key=lambda each: each.begin_ms):
        key = (one.environment, one.service)
        begin = max(one.begin_ms, until.get(key, facts.begin_ms), facts.begin_ms)
        end = min(one.end_ms, facts.end_ms)
        if end > begin:
            found[key] = found.get(key, 0) + end - begin
            until[key] = end
    return found


def advice(facts: Reliability, judged: Sequence[Goal]) -> Iterator[str]:
    """What to do, the most urgent first, each with the command that goes with it."""
    yield from _incidents(facts)
    yield from _tries(facts)
    yield from _grown(facts)
    if facts.errors and facts.unknown > _UNKNOWN * facts.errors:
        share = percent(facts.unknown / facts.errors)
        yield (
            f"{share} of the errors are of types that nothing knows, most of them"
            f" {code(facts.unknown_type)}. `faultstream correct --help`"
        )
    if facts.dead_letters:
        yield f"{counted(facts.dead_letters, 'record')} refused. `faultstream dead-letters list`"
    if facts.undelivered:
        messages = counted(facts.undelivered, "message")
        yield f"{messages} reached nobody. `faultstream notify test`, and the channels' fallbacks."
    if any(one.met is False and one.name.startswith("time to detect") for one in judged):
        yield "Detection is late: look at the lag of `detect`, and at the clocks of the services."


def _incidents(facts: Reliability) -> Iterator[str]:
    for one in facts.waiting[:MOST]:
        age = rough(facts.end_ms - one.opened_at_ms)
        yield (
            f"{escaped(one.service)} has waited for a person for {age}: {escaped(one.reason, 200)}."
            f" `faultstream show {one.incident_id[:8]}`"
        )
    for each in facts.again[:MOST]:
        yield (
            f"{code(each.error_type)} of {escaped(each.service)} made"
            f" {counted(each.incidents, 'incident')}: mend the cause."
            f" `faultstream runbook {escaped(each.error_type)}`"
        )


def _tries(facts: Reliability) -> Iterator[str]:
    expired = sum(one.expired for one in facts.strategies)
    if expired:
        said = f"Nobody answered {counted(expired, 'command')}: see that executors run."
        yield f"{said} `faultstream client-state SERVICE`"
    for one in facts.strategies:
        if one.worse:
            times = counted(one.worse, "time")
            yield f"{code(one.name)} made things worse {times}: let it ask for approval."
        elif one.tries - one.expired >= _HOPELESS_TRIES and not one.cured:
            yield f"{code(one.name)} cured nothing in {one.tries} tries: take it out."


def _grown(facts: Reliability) -> Iterator[str]:
    for one in facts.services:
        grown = one.errors > _MORE * one.before and one.errors - one.before > _MUCH
        if grown and one.before:
            errors = f"{one.errors:,} errors, after {one.before:,} in the time before"
            yield f"{escaped(one.service)} had {errors}."


def report(facts: Reliability, availability: float) -> str:
    """The Markdown."""
    judged = goals(facts, availability)
    where = f" of {escaped(facts.environment)}" if facts.environment else ""
    lines = [f"# Reliability{where}", ""]
    span = f"{moment(facts.begin_ms)} to {moment(facts.end_ms)}"
    lines += [f"{span}. Incidents of experiments are left out.", ""]
    marks = {True: "yes", False: "**no**", None: "nothing to measure"}
    rows = [[one.name, one.wanted, one.shown, marks[one.met], one.of] for one in judged]
    lines += table(["goal", ">wanted", ">measured", "met", "measured on"], rows)
    for title, section in (
        ("What to do", _todo(facts, judged)),
        ("Services", _services(facts)),
        ("Strategies", _strategies(facts)),
    ):
        lines += ["", f"## {title}", "", *section]
    return "\n".join(lines) + "\n"


def as_json(facts: Reliability, availability: float) -> str:
    """Goals, advice and facts as one JSON object."""
    judged = goals(facts, availability)
    content = {"goals": judged, "advice": list(advice(facts, judged)), "facts": facts}
    return msgspec.json.format(msgspec.json.encode(content), indent=1).decode() + "\n"


def _todo(facts: Reliability, judged: Sequence[Goal]) -> Iterator[str]:
    found = list(advice(facts, judged))
    yield from (f"{number}. {one}" for number, one in enumerate(found, 1))
    if not found:
        yield "Nothing stands out."


def _services(facts: Reliability) -> Iterator[str]:
    if not facts.services:
        yield "No error was stored."
        return
    down, whole_ms = downtimes(facts), facts.end_ms - facts.begin_ms
    rows = []
    for one in facts.services[: 2 * MOST]:
        lost = down.get((one.environment, one.service), 0)
        rows.append(
            [escaped(one.environment), escaped(one.service), f"{one.errors:,}", f"{one.before:,}",
             length(lost) if lost else "", f"{100 * (1 - lost / whole_ms):.3f} %"]
        )  # fmt: skip
    heads = ["environment", "service", ">errors", ">before", ">down", ">available"]
    yield from table(heads, rows)
    more = len(facts.services) - 2 * MOST
    if more > 0:
        yield ""
        yield f"And {counted(more, 'more service')}."


def _strategies(facts: Reliability) -> Iterator[str]:
    if not facts.strategies:
        yield "Nothing was tried and judged."
        return
    rows = [
        [code(one.name), str(one.tries), str(one.cured), str(one.worse), str(one.expired),
         percent(one.cured / one.tries) if one.tries else ""]
        for one in facts.strategies
    ]  # fmt: skip
    yield from table(["strategy", ">tries", ">cured", ">worse", ">no answer", ">share"], rows)
