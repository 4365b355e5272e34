"""Figures: what a tally comes to, by name; the same for text, JSON and thresholds."""

import math
from collections import Counter
from typing import Any

from faultstream.simulate.score import COLD_MS, Hit, Tally


def percentile(values: list[int], share: float) -> int | None:
    """The smallest value with at least `share` of all at or below it; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def figures(tally: Tally) -> dict[str, Any]:
    """Every figure of the report, by name; None where nothing was there to measure."""
    hits = tally.hits
    kinds = {
        kind: _kind([hit for hit in hits if hit.truth.kind == kind])
        for kind in sorted({hit.truth.kind for hit in hits})
    }
    episodes = sum(tally.episodes.values())
    wrong = Counter(one.kind for one in tally.wrong)
    cold = Counter(one.kind for one in tally.wrong if one.into_ms < COLD_MS)
    quick = [hit.after_ms for hit in hits if hit.after_ms is not None and not hit.truth.slow]
    critical = [hit.after_ms for hit in hits if hit.after_ms is not None and hit.truth.critical]
    seen = [hit.noticed_ms for hit in hits if hit.noticed_ms is not None and not hit.truth.slow]
    rooted = [hit for hit in hits if "cascade" in hit.truth.must]
    again = [hit for hit in hits if "recurring" in hit.truth.must]
    in_ten = sum(1 for hit in again if hit.occurrences is not None and hit.occurrences <= 10)
    return {
        "runs": tally.runs,
        "events": tally.events,
        "late_events": tally.late,
        "incidents": len(hits),
        "recall": _ratio(sum(not hit.missing for hit in hits), len(hits)),
        "noticed": _ratio(sum(bool(hit.found) for hit in hits), len(hits)),
        "kinds": kinds,
        "episodes": dict(sorted(tally.episodes.items())),
        "withdrawn": tally.withdrawn,
        "incidents_opened_by": dict(sorted(tally.incidents.items())),
        "incidents_in_first_hour": tally.cold_incidents,
        "commands": tally.commands,
        "commands_in_first_hour": tally.cold_commands,
        "false_episodes": dict(sorted(wrong.items())),
        "false_in_first_hour": dict(sorted(cold.items())),
        "ordinary_recurring": sum(tally.ordinary.values()),
        "false_ratio": _ratio(len(tally.wrong), episodes),
        "false_ratio_without_ordinary": _ratio(
            len(tally.wrong), episodes - sum(tally.ordinary.values())
        ),
        "unplanted_ratio": _ratio(len(tally.wrong) + sum(tally.ordinary.values()), episodes),
        "detect_median_ms": percentile(quick, 0.5),
        "detect_p95_ms": percentile(quick, 0.95),
        "critical_median_ms": percentile(critical, 0.5),
        "critical_p95_ms": percentile(critical, 0.95),
        "root_right_ratio": _ratio(sum(h.root == h.truth.root for h in rooted), len(rooted)),
        "noticed_median_ms": percentile(seen, 0.5),
        "noticed_p95_ms": percentile(seen, 0.95),
        "recurring_within_10_ratio": _ratio(in_ten, len(again)),
    }


def _kind(mine: list[Hit]) -> dict[str, Any]:
    """How one kind of incident fared."""
    times = [hit.after_ms for hit in mine if hit.after_ms is not None]
    seen = [hit.noticed_ms for hit in mine if hit.noticed_ms is not None]
    found = sum(not hit.missing for hit in mine)
    return {
        "planted": len(mine),
        "found": found,
        "recall": _ratio(found, len(mine)),
        "noticed": _ratio(sum(bool(hit.found) for hit in mine), len(mine)),
        "must": sorted({name for hit in mine for name in hit.truth.must}),
        "missing": dict(sorted(Counter(name for hit in mine for name in hit.missing).items())),
        "median_ms": percentile(times, 0.5),
        "p95_ms": percentile(times, 0.95),
        "noticed_median_ms": percentile(seen, 0.5),
    }


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
