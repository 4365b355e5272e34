"""The client's metrics: as Prometheus text without any dependency, or for prometheus_client.

    prometheus_client.REGISTRY.register(faultstream.client.metrics.Collector())

Labels are bounded: names of services and primitives, kinds, reasons.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from faultstream.client import lifetime
from faultstream.client.breaker import BreakerState
from faultstream.client.delivery import Stats
from faultstream.client.inforce import InForce, in_force
from faultstream.client.reporter import Reporter

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Family(NamedTuple):
    """A metric and its samples, labels first."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: list[tuple[Mapping[str, str], float]]


def families() -> Iterator[Family]:
    """Every metric of this process."""
    told = [(one.service, one.stats()) for one in lifetime.alive() if isinstance(one, Reporter)]
    yield Family(
        "faultstream_client_errors_total",
        "counter",
        "Errors that were reported and are in Kafka, in the spool, or dropped by reason.",
        [
            ({"service": service, "outcome": outcome}, float(value))
            for service, stats in told
            for outcome, value in _outcomes(stats).items()
        ],
    )
    yield Family(
        "faultstream_client_waiting",
        "gauge",
        "Errors that wait to be sent.",
        [({"service": service}, float(stats.waiting)) for service, stats in told],
    )
    yield Family(
        "faultstream_client_connected",
        "gauge",
        "1 while the last contact of the reporter with Kafka worked.",
        [({"service": service}, float(stats.connected)) for service, stats in told],
    )
    yield from _primitives(in_force())


def text() -> str:
    """All of it in Prometheus' text format, to be served as CONTENT_TYPE."""
    lines = []
    for family in families():
        lines.append(f"# HELP {family.name} {family.help}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for labels, value in family.samples:
            inner = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels.items())
            lines.append(f"{family.name}{{{inner}}} {value:g}")
    return "\n".join(lines) + "\n"


class Collector:
    """For `register` of a registry of prometheus_client, which must be installed."""

    def collect(self) -> Iterable[Any]:
        """Called at each scrape."""
        from prometheus_client.core import (  # noqa: PLC0415 - only there where it is used
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        for family in families():
            names = list(family.samples[0][0]) if family.samples else []
            kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            made = kind(family.name, family.help, labels=names)
            for labels, value in family.samples:
                made.add_metric(list(labels.values()), value)
            yield made


def _outcomes(stats: Stats) -> dict[str, int]:
    dropped = {f"dropped_{reason}": many for reason, many in stats.dropped.items()}
    return {"sent": stats.sent, "spooled": stats.spooled, **dropped}


def _primitives(found: list[InForce]) -> Iterator[Family]:
    def labels(one: InForce) -> dict[str, str]:
        return {"kind": one.kind, "name": one.name, "dependency": one.dependency}

    yield Family(
        "faultstream_client_held",
        "gauge",
        "1 while a command holds the primitive elsewhere than the application does.",
        [(labels(one), float(one.held)) for one in found],
    )
    yield Family(
        "faultstream_client_held_left_seconds",
        "gauge",
        "How long that lasts before local control is back.",
        [(labels(one), one.left_ms / 1000) for one in found if one.held],
    )
    yield Family(
        "faultstream_client_breaker_state",
        "gauge",
        "1 for the state that a breaker is in.",
        [
            ({"name": one.name, "dependency": one.dependency, "state": state.value},
             float(one.state == state.value))
            for one in found
            if one.kind == "breaker"
            for state in BreakerState
        ],
    )  # fmt: skip
    yield Family(
        "faultstream_client_calls_total",
        "counter",
        "Calls since the start by how they ended, such as refused or successful_with_retry.",
        [
            ({**labels(one), "outcome": outcome}, float(many))
            for one in found
            for outcome, many in one.counts.items()
        ],
    )
    yield Family(
        "faultstream_client_figure",
        "gauge",
        "A number of a primitive, such as failure_ratio or leased.",
        [
            ({**labels(one), "figure": name}, value)
            for one in found
            for name, value in one.figures.items()
        ],
    )


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
