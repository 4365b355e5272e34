"""Health and metric records, and Prometheus text, to measures and error events.

A metric record is a JSON object with `service`, `metric` (a name) and `value` (a number), and may
have `time`, `labels` (strings), `limit` (used until one is learned) and `below` (true when low
values are the bad ones). A health record has `service`, `check` (a name) and `status`, and may have
`time`, `message` and `layer`; fail, down, error, unhealthy and critical mean that it failed.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from faultstream.core.event import ErrorEvent
from faultstream.core.limits import Crossing
from faultstream.formats.logs.stamp import Now, epoch, milliseconds

_FAILED: Final = frozenset({"fail", "failed", "down", "error", "unhealthy", "critical"})


class Measure(msgspec.Struct, kw_only=True):
    """One value of one series. `service` is empty where the source does not say."""

    service: str = ""
    metric: str
    value: float
    time: int | float | str | None = None
    labels: dict[str, str] = {}
    limit: float | None = None
    below: bool = False

    @property
    def key(self) -> str:
        """The name of the series."""
        labels = ",".join(f"{name}={text}" for name, text in sorted(self.labels.items()))
        return f"{self.service}|{self.metric}|{labels}"


def read(plain: dict[str, Any], now: Now) -> Measure | ErrorEvent | None:
    """The measure of a metric record, the event of a failed health record, None for the rest."""
    if "metric" in plain and "value" in plain:
        try:
            measure = msgspec.convert(plain, Measure)
        except msgspec.ValidationError:
            return None
        return measure if math.isfinite(measure.value) else None
    check, status = plain.get("check"), plain.get("status")
    if not isinstance(check, str) or not isinstance(status, str):
        return None
    if status.strip().lower() not in _FAILED:
        return None
    return ErrorEvent(
        service=_text(plain.get("service")),
        error_type="HealthCheckFailed",
        message=_text(plain.get("message")) or f"health check {check} says {status}",
        operation=check[:512],
        layer=_text(plain.get("layer")),
        time=_time(plain.get("time"), now),
    )


def event(measure: Measure, crossing: Crossing, now: Now) -> ErrorEvent:
    """The event of a value past its limit. Its group is the series, not the numbers."""
    return ErrorEvent(
        service=measure.service,
        error_type="MetricLimitExceeded",
        message=f"{measure.metric} is {measure.value:g}, {_reason(crossing)}",
        operation=measure.metric[:512],
        fingerprint=["metric", measure.key[:512]],
        category="resource",
        tags={name[:200]: text[:1_024] for name, text in list(measure.labels.items())[:60]},
        time=_time(measure.time, now),
    )


def _reason(crossing: Crossing) -> str:
    """Which limit it is past, where that is from, what was expected, and since when."""
    value, limit = crossing.value, crossing.limit
    if not crossing.learned:
        return f"{'above' if value > limit else 'below'} the limit {limit:g} (set)"
    learned = f"learned from {crossing.points} values"
    if crossing.way == "silence":
        return f"usual for too long: never for more than {limit:g} values before ({learned})"
    if crossing.way == "record":
        side = "above" if value > limit else "below"
        return f"far {side} {limit:g}, the most extreme so far ({learned})"
    if crossing.way == "hours":
        return f"{crossing.hours:g} on average in a course of hours that never was ({learned})"
    if crossing.low is not None and crossing.high is not None:
        learned = f"expected {crossing.low:g} to {crossing.high:g}, {learned}"
        if crossing.low <= value <= crossing.high:
            said = f"and came in a way that it never did before ({learned})"
            return said + _since(crossing)
    return f"{'above' if value > limit else 'below'} the limit {limit:g} ({learned})" + _since(
        crossing
    )


def _since(crossing: Crossing) -> str:
    return f", for {crossing.lasting + 1} values now" if crossing.lasting else ""


class Scrape:
    """What one address says from scrape to scrape, in Prometheus' text format.

    Gauges are measures as they are. Counters become rates a second, histograms and summaries
    their mean since the scrape before; both need two scrapes, and a counter that fell was reset.
    """

    def __init__(self) -> None:
        self._before: dict[tuple[str, str], float] = {}
        self._before_ms = 0

    def read(self, text: str, now_ms: int) -> Iterator[Measure]:
        """The measures of a scrape.

        Raises:
            ValueError: the text is not in that format.
        """
        seconds = (now_ms - self._before_ms) / 1000
        before, self._before = self._before, {}
        made: list[Measure] = []
        for family in text_string_to_metric_families(text):
            sums: dict[str, tuple[dict[str, str], float]] = {}
            counts: dict[str, float] = {}
            for sample in family.samples:
                name, labels, value = sample.name, dict(sample.labels), float(sample.value)
                if not math.isfinite(value) or name.endswith(("_bucket", "_created")):
                    continue
                counted = family.type == "counter" or name.endswith("_total")
                if family.type in {"gauge", "unknown"} and not counted:
                    made.append(Measure(metric=name, value=value, labels=labels, time=now_ms))
                    continue
                if family.type in {"histogram", "summary"} and "quantile" in labels:
                    continue
                key = repr(sorted(labels.items()))
                self._before[name, key] = value
                past = before.get((name, key))
                if past is None or value < past or seconds <= 0:
                    continue
                if name.endswith("_sum"):
                    sums[key] = (labels, value - past)
                elif name.endswith("_count"):
                    counts[key] = value - past
                elif counted:
                    rate = (value - past) / seconds
                    made.append(
                        Measure(metric=f"{name}_rate", value=rate, labels=labels, time=now_ms)
                    )
            made += [
                Measure(
                    metric=f"{family.name}_mean",
                    value=total / counts[key],
                    labels=labels,
                    time=now_ms,
                )
                for key, (labels, total) in sums.items()
                if counts.get(key)
            ]
        self._before_ms = now_ms
        yield from made


def _time(value: Any, now: Now) -> int | None:
    if isinstance(value, str):
        return milliseconds(value, now)
    return epoch(value) if isinstance(value, int | float) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
