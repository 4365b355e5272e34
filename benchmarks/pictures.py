"""Pictures of patterns, drawn from what detection says of a small simulated fleet.

    python benchmarks/pictures.py [KIND ...]

Prints one picture for each kind of pattern, as in docs/how-it-works/patterns.md: errors in equal
stretches of time per service, and from where to where the episode was open.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from faultstream.config.topology import load as load_topology
from faultstream.core.detect import is_withdrawn
from faultstream.core.records import Pattern
from faultstream.simulate.fleet import told
from faultstream.simulate.generate import Run
from faultstream.simulate.planting import Truth
from faultstream.simulate.reading import load
from faultstream.simulate.replay import Replay
from faultstream.simulate.score import Watch

_COLUMNS: Final = 56
_BARS: Final = " ▁▂▃▄▅▆▇█"
_MINUTE_MS: Final = 60_000
_WIDTH: Final = 80


class Plan(NamedTuple):
    """What is simulated for a picture: hours, the incident, minutes shown before it and after, and
    how many services at most."""

    hours: float
    incident: str
    before: float = 12
    after: float = 8
    services: int = 1


PLANS: Final[dict[str, Plan]] = {
    "recurring": Plan(2, 'kind: recurring, at: "01:20", service: orders, minutes: 20'),
    "burst": Plan(2, 'kind: burst, at: "01:20", service: orders, minutes: 4'),
    "critical": Plan(2, 'kind: critical_single, at: "01:20", service: orders'),
    "high_rate": Plan(2, 'kind: high_rate, at: "01:20", service: orders, minutes: 3'),
    "degradation": Plan(3, 'kind: slow_degradation, at: "01:30", service: orders, minutes: 35'),
    "dominant": Plan(2, 'kind: dominant_type, at: "01:20", service: orders, minutes: 8'),
    "novel": Plan(2, 'kind: novel_after_deploy, at: "01:20", service: orders, minutes: 20'),
    "regression": Plan(6, 'kind: regression, at: "00:30", service: orders', after=20),
    "periodic": Plan(5, 'kind: cron, at: "00:40", service: orders, minutes: 200'),
    "sequence": Plan(4, 'kind: sequence, at: "01:00", service: orders'),
    "predicted": Plan(5, 'kind: flapping, at: "01:30", service: orders, minutes: 60'),
    "cascade": Plan(2, 'kind: cascade, at: "01:20", service: db, minutes: 3', 3, 4, 3),
    "correlation": Plan(4, 'kind: correlated, at: "01:00", service: orders', services=2),
    "recovery_loop": Plan(3, 'kind: recovery_loop, at: "01:20", service: web, minutes: 20'),
}
_FLEET: Final = """\
version: 1
name: picture
hours: {hours}
start: "2026-03-03T10:00:00Z"
services:
  web:    {{layer: api, depends_on: [orders, cart], noise: {{validation: 0.5, token: 0.4}}}}
  orders: {{layer: service, depends_on: [db], noise: {{declined: 0.9, stale: 0.4, key: 0.3}}}}
  cart:   {{layer: service, noise: {{stale: 0.5, not_found: 0.3}}}}
  search: {{layer: service, noise: {{read_timeout: 0.5, bad_value: 0.6}}}}
  mail:   {{layer: service, noise: {{reset: 0.3, json: 0.3}}}}
  db:     {{layer: infrastructure, noise: {{reset: 0.1}}}}
incidents:
  - {{{incident}}}
"""


class Scene(NamedTuple):
    """What a seed brought: the incident, the pattern, when it was told, and errors by service."""

    truth: Truth
    pattern: Pattern
    told_ms: int
    closed_ms: int
    times: dict[str, list[int]]


def scene(kind: str, plan: Plan, seed: int, folder: Path) -> Scene | None:
    """The first pattern of the kind that the incident brought; None if there was none."""
    file = folder / "picture.yaml"
    file.write_text(_FLEET.format(hours=plan.hours, incident=plan.incident))
    run = Run(load(file), seed)
    replay, times = Replay(told(load_topology(None), run.fleet.values()), 1), defaultdict(list)
    first: dict[str, int] = {}
    last: dict[str, Pattern] = {}
    watch, truth = Watch(), run.truths[0]
    arrivals = list(run.arrivals())
    for one in arrivals:
        times[one.event.service].append(int(one.event.time or 0))
    for said in replay.patterns(watch.over(iter(arrivals))):
        first.setdefault(said.pattern.pattern_id, said.at_ms)
        last[said.pattern.pattern_id] = said.pattern
    for name, pattern in last.items():
        mine = 0 in {watch.incident.get(one) for one in pattern.evidence}
        near = pattern.service in {*truth.services, truth.root} and first[name] >= truth.felt_at_ms
        if pattern.kind == kind and near and not is_withdrawn(pattern):
            if not mine and pattern.fingerprint and kind not in {"sequence", "predicted"}:
                continue
            return Scene(truth, pattern, first[name], pattern.last_at_ms, times)
    return None


def draw(kind: str, plan: Plan, one: Scene) -> Iterator[str]:
    """The lines of a picture."""
    start = one.truth.first_at_ms - plan.before * _MINUTE_MS
    end = max(one.truth.end_at_ms, one.told_ms) + plan.after * _MINUTE_MS
    step = (end - start) / _COLUMNS
    yield from _wrapped(f"{kind}: {one.pattern.reason}")
    names = [one.pattern.service, *sorted({*one.truth.services} - {one.pattern.service})]
    for name in names[: plan.services]:
        counts = [0] * _COLUMNS
        for at in one.times[name]:
            if start <= at < end:
                counts[int((at - start) / step)] += 1
        most = max(counts)
        bars = "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in counts)
        yield f"{name:<8}{bars}  {most}".rstrip()
    begin, over = (int((at - start) / step) for at in (one.told_ms, one.closed_ms))
    over = min(max(begin, over), _COLUMNS - 1)
    line = "^" if over == begin else "^" + "-" * (over - begin - 1) + "|"
    yield f"{'':<8}{' ' * begin}{line}".rstrip()
    seconds = step / 1000
    length = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
    after = (one.told_ms - one.truth.felt_at_ms) / 1000
    since = f"{after:.0f} s" if after < 120 else f"{after / 60:.0f} min"
    yield f"{'':<8}a column is {length}; told {since} after it began"


def _wrapped(words: str) -> Iterator[str]:
    line = ""
    for word in words.split():
        if len(line) + len(word) + 1 > _WIDTH:
            yield line
            line = " "
        line = f"{line} {word}" if line else word
    yield line


def main() -> int:
    """Draws the kinds that are named, or all."""
    missing = 0
    with TemporaryDirectory() as folder:
        for kind in sys.argv[1:] or PLANS:
            for seed in range(1, 21):
                found = scene(kind, PLANS[kind], seed, Path(folder))
                if found is not None:
                    print("\n".join(draw(kind, PLANS[kind], found)), end="\n\n", flush=True)
                    break
            else:
                missing += 1
                print(f"{kind}: not found in 20 seeds\n", file=sys.stderr)
    return int(missing > 0)


if __name__ == "__main__":
    raise SystemExit(main())
