"""Report: the figures of a score as text for people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from faultstream.simulate.figures import figures
from faultstream.simulate.goals import goals
from faultstream.simulate.goals import lines as lines_of
from faultstream.simulate.score import Hit, Tally, Wrong

SHOWN: Final = 20


def text(name: str, tally: Tally, *, shown: int = SHOWN) -> str:
    """The whole report, lines ended; at most `shown` missed incidents and false episodes each."""
    found = figures(tally)
    runs = "1 run" if found["runs"] == 1 else f"{found['runs']} runs"
    lines = [
        f"{name}: {runs}, {found['events']:,} events, {found['late_events']:,} of them late",
        "",
        *_found(found),
        *_opened(found),
        *_missed(tally.hits, shown),
        *_false(tally.wrong, shown),
        "",
        *lines_of(goals(found)),
    ]
    return "\n".join(lines) + "\n"


def _found(found: dict[str, Any]) -> Iterator[str]:
    if not found["incidents"]:
        return
    yield (
        f"{'incident':<20} {'found':>9} {'recall':>7} {'noticed':>9} {'median':>9} {'p95':>9}  "
        "must be found"
    )
    for kind, one in found["kinds"].items():
        share = f"{one['found']}/{one['planted']}"
        yield (
            f"{kind:<20} {share:>9} {_share(one['recall']):>7} "
            f"{_time(one['noticed_median_ms']):>9} {_time(one['median_ms']):>9} "
            f"{_time(one['p95_ms']):>9}  {', '.join(one['must'])}"
        )
    yield ""
    yield f"found, of {found['incidents']} incidents{_share(found['recall']):>27}"
    yield f"noticed by any pattern{_share(found['noticed']):>30}"
    yield (
        f"time until noticed, median and p95{_time(found['noticed_median_ms']):>18}"
        f"{_time(found['noticed_p95_ms']):>10}"
    )
    yield (
        f"time to detect, median and p95{_time(found['detect_median_ms']):>22}"
        f"{_time(found['detect_p95_ms']):>10}"
    )
    yield (
        f"the same, critical incidents{_time(found['critical_median_ms']):>24}"
        f"{_time(found['critical_p95_ms']):>10}"
    )
    yield f"root of cascades right{_share(found['root_right_ratio']):>30}"
    yield f"recurring found within 10 occurrences{_share(found['recurring_within_10_ratio']):>15}"
    yield ""


def _opened(found: dict[str, Any]) -> Iterator[str]:
    false, cold = found["false_episodes"], found["false_in_first_hour"]
    taken = f"({found['withdrawn']} more withdrawn)"
    yield f"{'episodes':<20} {'all':>9} {'false':>7} {'1st hour':>9}  {taken}"
    for kind, count in found["episodes"].items():
        yield f"{kind:<20} {count:>9} {false.get(kind, 0):>7} {cold.get(kind, 0):>9}"
    yield ""
    yield f"false episodes{_share(found['false_ratio']):>38}"
    yield f"the same, leaving out ordinary ones{_share(found['false_ratio_without_ordinary']):>17}"
    yield f"ordinary: an error that always recurs{found['ordinary_recurring']:>15,}"
    opened = ", ".join(f"{count} {kind}" for kind, count in found["incidents_opened_by"].items())
    yield f"incidents opened by: {opened or 'none'}; {found['commands']} commands"
    cold_incidents, cold_commands = (
        found["incidents_in_first_hour"],
        found["commands_in_first_hour"],
    )
    yield f"of these in the 1st hour: {cold_incidents} incidents, {cold_commands} commands"


def _missed(hits: list[Hit], shown: int) -> Iterator[str]:
    missed = [hit for hit in hits if hit.missing]
    if missed:
        yield ""
        yield f"missed: {len(missed)}"
    for hit in missed[:shown]:
        truth = hit.truth
        seen = ", ".join(hit.found) or "nothing"
        yield (
            f"  seed {hit.seed} {truth.incident} at {truth.services[0]}"
            f"{f' and {len(truth.services) - 1} more' if len(truth.services) > 1 else ''}, "
            f"{_clock(truth.felt_at_ms)}, {truth.events} errors: no {', '.join(hit.missing)}; "
            f"found {seen}"
        )


def _false(wrong: list[Wrong], shown: int) -> Iterator[str]:
    """The surest first, and each kind in turn."""
    if not wrong:
        return
    yield ""
    yield f"false: {len(wrong)}"
    places: dict[str, int] = {}
    order = []
    for one in sorted(wrong, key=lambda one: (-one.confidence, one.seed, one.at_ms, one.service)):
        place = places[one.kind] = places.get(one.kind, 0) + 1
        order.append((place, one.kind, one))
    for _, _, one in sorted(order, key=lambda row: row[:2])[:shown]:
        yield (
            f"  seed {one.seed} {one.kind} at {one.service} {one.error_type or 'mixed'}, "
            f"{_clock(one.at_ms)}, {one.count} errors in {one.lasted_ms / 1000:.0f} s, "
            f"confidence {one.confidence:.2f}: {one.reason}"
        )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _time(value_ms: int | None) -> str:
    return "-" if value_ms is None else f"{value_ms / 1000:.1f} s"


def _clock(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%d %H:%M:%S}"
