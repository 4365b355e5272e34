"""Memory of detection while a million fingerprints and 100,000 services pass through.

    python benchmarks/memory.py [--fingerprints 1000000] [--services 100000] [--places 5000]

A quarter of an hour of event time. Every service comes for a few seconds with ten fingerprints that
nobody saw before and never comes again; among them a hundred heavy ones go on all the time, half of
them in services that are flooded with unique fingerprints. Prints resident memory over time, how
many services were forgotten or folded, and how many of the true top 100 a pattern names. `--places`
is what `detectors.max_services_per_partition` sets. Exits with 1 if a heavy one was missed.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from faultstream.config.topology import load
from faultstream.core.detect import Detect, ServiceState
from faultstream.core.detect.roster import Roster
from faultstream.core.event import ErrorEvent
from faultstream.core.group import Group, Verdict
from faultstream.core.watermark import Watermark

START_MS = 1_795_312_900_000
LENGTH_MS = 900_000
HEAVY = 100
FLOODED = 50
STAY_MS = 5_000
CHUNK = 5_000
TICK_MS = 10_000
SHOW_MS = 60_000
VERDICT = Verdict("technical", "code", "medium", False, 0.9, "benchmark", 500)
Item = tuple[int, str, str]


def stream(fingerprints: int, services: int, chance: random.Random) -> Iterator[Item]:
    """(time, service, fingerprint), about in order of time."""
    apiece = max(1, fingerprints // services)
    step_ms = LENGTH_MS / services
    heavy = [(f"flooded-{n}" if n < FLOODED else f"steady-{n}", f"heavy-{n}") for n in range(HEAVY)]
    weights = [HEAVY / (n + 3) for n in range(HEAVY)]
    unique = 0
    for number in range(services):
        at = START_MS + int(number * step_ms)
        for _ in range(apiece):
            unique += 1
            service = f"s{number}"
            if chance.random() < 0.2:
                service = f"flooded-{chance.randrange(FLOODED)}"
            yield at + chance.randrange(STAY_MS), service, f"u{unique}"
        for service, name in chance.choices(heavy, weights, k=max(1, apiece // 5)):
            yield at + chance.randrange(STAY_MS), service, name


def resident_mib() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


class Worker:
    """Detection over a stream, with one watermark, judged by chunks and ticks."""

    def __init__(self, places: int) -> None:
        topology = load(None)
        self.detect = Detect(topology)
        self.roster = Roster(self.detect, places)
        self.mark = Watermark(topology.detectors)
        self.named: set[str] = set()
        self.events = self.revisions = 0
        self._touched: dict[int, ServiceState] = {}
        self._ticked = START_MS

    def take(self, time_ms: int, service: str, name: str) -> None:
        """One event."""
        event = ErrorEvent(service=service, error_type="Error", event_id=name, time=time_ms)
        state = self.roster.of("production", service)
        group = Group(name, name, "", "Error", VERDICT)
        self.detect.observe(state, event, group, f"{name}-{self.events}", time_ms)
        self.mark.advance(time_ms, time_ms)
        self._touched[id(state)] = state
        self.events += 1
        if self.events % CHUNK == 0:
            for one in self._touched.values():
                self._judge(one)
            self._touched.clear()
            if self.mark.value_ms - self._ticked >= TICK_MS:
                self._tick()

    def _tick(self) -> None:
        self._ticked = self.mark.value_ms
        for name, state in self.roster.every():
            if self.detect.due(state):
                self._judge(state)
            elif self.detect.idle(state, self._ticked):
                self.roster.drop(name)

    def _judge(self, state: ServiceState) -> None:
        for pattern in self.detect.judge(state, self.mark.value_ms):
            self.revisions += 1
            self.named.add(pattern.fingerprint)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fingerprints", type=int, default=1_000_000)
    parser.add_argument("--services", type=int, default=100_000)
    parser.add_argument("--places", type=int, default=5_000)
    options = parser.parse_args()
    worker = Worker(options.places)
    roster = worker.roster
    true: Counter[str] = Counter()
    told = START_MS
    begun = time.process_time()
    print(f"{'minute':>7}{'events':>11}{'services':>10}{'forgotten':>11}{'folded':>9}{'MiB':>8}")
    for time_ms, service, name in stream(options.fingerprints, options.services, random.Random(1)):
        worker.take(time_ms, service, name)
        if not name.startswith("u"):
            true[name] += 1
        if time_ms - told >= SHOW_MS:
            told = time_ms
            print(
                f"{(time_ms - START_MS) / 60_000:7.0f}{worker.events:11,}{len(roster):10,}"
                f"{roster.forgotten:11,}{roster.folded:9,}{resident_mib():8.0f}",
                flush=True,
            )
    top = [name for name, _ in true.most_common(HEAVY)]
    found = sum(name in worker.named for name in top)
    cost = (time.process_time() - begun) / worker.events * 1e6
    print(f"{worker.events:,} events, {worker.revisions:,} revisions, {cost:.0f} us CPU an event")
    print(f"of the true top {len(top)}, {found} are named by a pattern")
    sys.exit(found < len(top))


if __name__ == "__main__":
    main()
