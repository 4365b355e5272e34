"""Prediction: how often limits are crossed when it is said that they will be.

Each minute of each service of simulated fleets is one answer: the probability that a limit is
crossed within the horizon, beside two peers: the base rate over all answers, which nobody can know
beforehand, and a moving average of each service's own outcomes. Minutes without a new event, and
those in which a limit is crossed already, have no answer.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from faultstream.core.detect import Detect, ServiceState
from faultstream.core.grouping import Grouper
from faultstream.core.policy import Topology
from faultstream.quality.scores import brier, reliability
from faultstream.quality.section import Section, Table, Task, bars, ratio
from faultstream.simulate.generate import Run
from faultstream.simulate.goals import at_least, below
from faultstream.simulate.reading import load

SCENARIO: Final = "zoo"
BAR: Final = 0.8
_KEEP: Final = 0.97
"""Of the moving average, an answer: about half an hour."""
_TURN_MS: Final = 5_000
_OTHERS: Final = (
    "recurring", "dominant", "novel", "regression", "periodic", "sequence",
)  # fmt: skip


class Answer(msgspec.Struct, frozen=True):
    """One probability, what a moving average says, and whether it came true."""

    service: str
    at_ms: int
    probability: float
    average: float
    came: bool


def answers(run: Run, topology: Topology) -> list[Answer]:
    """All answers of one simulated run, by service and time."""
    said: dict[str, list[tuple[int, float]]] = defaultdict(list)
    crossed = play(
        run, topology, lambda service, at_ms, chance: said[service].append((at_ms, chance))
    )
    horizon_ms = topology.detectors.predicted.horizon_ms
    found = [
        (service, at_ms, chance, any(at_ms < one <= at_ms + horizon_ms for one in times))
        for service, many in sorted(said.items())
        for times in (crossed[service],)
        for at_ms, chance in many
        if at_ms + horizon_ms <= run.end_ms
    ]
    base = sum(came for *_, came in found) / max(1, len(found))
    return list(_averaged(found, base, horizon_ms))


def play(
    run: Run, topology: Topology, say: Callable[[str, int, float], None]
) -> dict[str, list[int]]:
    """When limits were crossed, by service; meanwhile each new answer is said: the service, the
    time, the probability."""
    policy = topology.detectors
    off = {name: msgspec.structs.replace(getattr(policy, name), enabled=False) for name in _OTHERS}
    topology = msgspec.structs.replace(topology, detectors=msgspec.structs.replace(policy, **off))
    crossed: dict[str, list[int]] = defaultdict(list)
    busy: set[str] = set()
    detect, group = Detect(topology), Grouper(topology).group
    step_ms = topology.detectors.predicted.step_ms
    lateness_ms = topology.detectors.allowed_lateness_ms
    states: dict[str, ServiceState] = {}
    fleets = detect.fleets()
    turn = newest = run.start_ms
    steps: dict[str, int] = {}

    def judge(watermark_ms: int) -> None:
        for service, state in states.items():
            if detect.due(state):
                detect.judge(state, watermark_ms)
            outlook = state.main.memory.outlook
            if outlook.busy and service not in busy:
                crossed[service].append(outlook.busy_at * step_ms + 1)  # after the step's answer
            (busy.add if outlook.busy else busy.discard)(service)
            if outlook.chance is not None and steps.get(service) != outlook.step:
                steps[service] = outlook.step
                say(service, outlook.step * step_ms, outlook.chance)

    for one in run.arrivals():
        if one.arrived_ms >= turn + _TURN_MS:
            turn = one.arrived_ms
            judge(newest - lateness_ms)
        event = one.event
        state = states.get(event.service)
        if state is None:
            state = states[event.service] = detect.new(event.environment, event.service, fleets)
        detect.observe(state, event, group(event), event.event_id, one.arrived_ms)
        newest = max(newest, min(int(event.time or 0), one.arrived_ms))
    judge(newest + topology.detectors.predicted.horizon_ms)
    return crossed


def _averaged(
    found: Iterable[tuple[str, int, float, bool]], base: float, horizon_ms: int
) -> Iterator[Answer]:
    """Adds the moving average of the outcomes that were known at the time."""
    known: list[tuple[int, bool]] = []
    average, before = base, ""
    for service, at_ms, chance, came in found:
        if service != before:
            known, average, before = [], base, service
        while known and known[0][0] + horizon_ms <= at_ms:
            average = _KEEP * average + (1 - _KEEP) * known.pop(0)[1]
        known.append((at_ms, came))
        yield Answer(service, at_ms, chance, average, came)


def figures(found: list[Answer]) -> dict[str, Any]:
    """Brier scores of ours and the peers, what came of sure answers, and the reliability."""
    count = max(1, len(found))
    base = sum(one.came for one in found) / count
    sure = [one.came for one in found if one.probability > BAR]
    return {
        "answers": len(found),
        "base_rate": base,
        "brier": brier(_said(found)),
        "brier_base_rate": base * (1 - base),
        "brier_moving_average": brier([(one.average, one.came) for one in found]),
        "sure": len(sure),
        "sure_came_true": sum(sure) / len(sure) if sure else None,
        "reliability": [msgspec.to_builtins(one) for one in reliability(_said(found))],
    }


def _said(found: list[Answer]) -> list[tuple[float, bool]]:
    return [(one.probability, one.came) for one in found]


def measure(task: Task) -> Section:
    """All seeds together."""
    found: list[Answer] = []
    for seed in task.seeds:
        found += answers(Run(load(SCENARIO), seed), task.topology)
        task.tell(f"prediction: {SCENARIO}, seed {seed}")
    made = figures(found)
    sure = made["sure_came_true"]
    return Section(
        says=f"Probabilities that a limit is crossed within half an hour ({SCENARIO}).",
        figures=made,
        tables=[
            Table(
                title="Brier score, smaller is better",
                columns=("", "score"),
                rows=[
                    ("ours", ratio(made["brier"], 5)),
                    ("base rate", ratio(made["brier_base_rate"], 5)),
                    ("moving average", ratio(made["brier_moving_average"], 5)),
                ],
            ),
            bars("a limit is crossed", reliability(_said(found))),
        ],
        notes=[
            f"of {made['sure']} probabilities above {BAR} "
            + ("none can be judged" if sure is None else f"{sure:.0%} came true")
        ],
        goals=[
            below("Brier score, base rate", made["brier"], made["brier_base_rate"], digits=4),
            below(
                "Brier score, moving average", made["brier"], made["brier_moving_average"], digits=4
            ),
            at_least(f"came true of what was above {BAR}", sure, BAR),
        ],
    )
