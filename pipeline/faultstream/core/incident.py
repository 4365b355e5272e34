"""Incidents as response remembers them, and the state of one environment.

All of it is bounded: see the MAX_ constants; what is past a bound is the oldest and goes first.
"""

from typing import Any, Final, Literal

import msgspec

from faultstream.core.learn import Belief
from faultstream.core.machine import OVER, Phase
from faultstream.core.records import (
    Control,
    Incident,
    Outcome,
    Pattern,
    RecoveryCommand,
    RecoveryResult,
)
from faultstream.core.severity import Severity

MAX_CASES: Final = 2_000
MAX_FINISHED: Final = 500
MAX_REMEMBERED: Final = 20_000
MAX_ANSWERS: Final = 200
MAX_TRIES: Final = 100
MAX_WAITING: Final = 1_000
MEMORY_MS: Final = 3_600_000
"""How long a closed pattern, a finished incident and a result's id are remembered."""
STALE_MS: Final = 900_000
"""An incident without any news for this long is closed; detection has lost sight of it."""


class Tick(msgspec.Struct, frozen=True):
    """Time has passed; deadlines are looked at. Send about one a second while `wants_tick`."""

    now_ms: int


class Sight(msgspec.Struct, kw_only=True):
    """A pattern that lasts, as last told. `bar`: once its incident is over, a rate above this
    is a new fault."""

    pattern: Pattern
    incident_id: str
    bar: float = 0.0


class Try(msgspec.Struct, kw_only=True):
    """One command and what came of it. `run`: the number of the run it is part of. `answers`:
    instance to status, first answer each. `latest_ms`: no sign of life extends it beyond."""

    command: RecoveryCommand
    run: int = 0
    outcome: Outcome = "pending"
    reason: str = ""
    issued_ms: int
    deadline_ms: int
    latest_ms: int = 0
    answers: dict[str, str] = {}
    failing_since_ms: int | None = None

    @property
    def strategy(self) -> str:
        """What was tried: the workflow, when it is a step of one."""
        return self.command.workflow or self.command.strategy

    @property
    def flying(self) -> bool:
        """Whether an answer is awaited."""
        return self.outcome in {"pending", "running"}


class Step(msgspec.Struct, kw_only=True, frozen=True):
    """One command of a run. `id` is '' for a strategy that is no workflow."""

    id: str = ""
    strategy: str
    parameters: dict[str, Any] = {}
    needs: tuple[str, ...] = ()
    deadline_ms: int = 0
    undo: str = ""


class Run(msgspec.Struct, kw_only=True):
    """One strategy on its way: its steps, what is left to take back, and what the stream shows.

    `failed`: the outcome of the step that ended it. `reference`: the highest rate until it had
    settled; `base`: the same until executors were done, which made worse is measured against.
    `early`: of an incident too young to have a base, the errors before executors were done, and how
    many a second they were.
    """

    number: int
    strategy: str
    why: str = ""
    steps: tuple[Step, ...] = ()
    approved_by: str = ""
    dry_run: bool = False
    preventive: bool = False
    route: str = ""
    error_type: str = ""
    failed: Outcome | None = None
    undo: list[str] = []
    stuck: str = ""
    outcome: Outcome = "pending"
    reference: float = 0.0
    base: float = 0.0
    early: tuple[int, float] = (0, 0.0)
    settled_ms: int = 0
    low_since_ms: int | None = None
    give_up_ms: int = 0


class Refund(msgspec.Struct, array_like=True):
    """A command that nobody has attempted so far; from `due_ms` on nobody may any more."""

    service: str
    strategy: str
    issued_ms: int
    due_ms: int


class Wanted(msgspec.Struct, kw_only=True, frozen=True):
    """What a person asked for; '' is whatever the route says. Counts until `until_ms`."""

    by: str
    strategy: str = ""
    parameters: dict[str, Any] = {}
    dry_run: bool = False
    until_ms: int


class Case(msgspec.Struct, kw_only=True):
    """An incident: the record as last published, and what drives it.

    `phase` is set by `Turn.move` alone. `held_until_ms` set: nothing is commanded before.
    `proposal`: a strategy that waits for approval; one that was given counts until
    `approved_until_ms`. `pressed`: why a layer's threshold was passed
    (row R2). `asked`: what stands for the patterns of an incident that a person opened.
    """

    incident: Incident
    phase: Phase = "open"
    service: str
    layer: str
    fingerprint: str
    category: str
    error_type: str = ""
    transient: bool = False
    tries: list[Try] = []
    run: Run | None = None
    runs: int = 0
    wanted: Wanted | None = None
    asked: Pattern | None = None
    news_ms: int
    held_until_ms: int | None = None
    proposal: str = ""
    approved_by: str = ""
    approved_until_ms: int = 0
    pressed: str = ""
    notices: int = 0

    @property
    def current(self) -> Try | None:
        """The latest command."""
        return self.tries[-1] if self.tries else None

    @property
    def over(self) -> bool:
        """Whether nothing more will be done about it."""
        return self.phase in OVER

    def steps(self) -> dict[str, Try]:
        """The commands of the run so far, by step; what takes back is not among them."""
        number = self.run.number if self.run is not None else -1
        return {
            one.command.step_id: one
            for one in self.tries
            if one.run == number and not one.command.rollback_of
        }


class Remembered(msgspec.Struct, array_like=True):
    """The highest revision of a closed pattern, and how many incidents it had."""

    revision: int
    until_ms: int


class Rise(msgspec.Struct, kw_only=True):
    """A service in which something began at `onset_ms` and lasts: its open patterns' counts.

    `felt_ms`: when the first of them was complete. `strong`: not merely an error that recurs.
    `evidence`, `traces` and `parents` as in Pattern, of all its patterns. `last_ms`: its newest
    event. `named`: words that may name services which failed it. `left`: there is nothing but
    callers that did not wait.
    """

    service: str
    layer: str
    experiment_id: str
    onset_ms: int
    patterns: dict[str, int]
    severity: Severity
    category: str
    error_type: str
    evidence: list[str]
    traces: list[str] = []
    parents: list[str] = []
    felt_ms: int = 0
    strong: bool = False
    last_ms: int = 0
    named: list[str] = []
    left: bool = False


class Link(msgspec.Struct, array_like=True):
    """How often one service rose shortly after another, and the sum of the lags."""

    count: int = 0
    lag_ms: int = 0


class Own(msgspec.Struct, kw_only=True):
    """A pattern that response itself found, as last told; a loop's belongs to an incident."""

    pattern: Pattern
    incident_id: str = ""


class EnvironmentState(msgspec.Struct, kw_only=True):
    """All that response remembers of one environment."""

    version: Literal[2] = 2
    environment: str
    now_ms: int = 0
    cases: dict[str, Case] = {}
    finished: dict[str, Case] = {}
    sights: dict[str, Sight] = {}
    gone: dict[str, Remembered] = {}
    serials: dict[str, int] = {}
    results: dict[str, int] = {}
    commands: dict[str, str] = {}
    attempts: dict[str, list[int]] = {}
    cooldowns: dict[str, int] = {}
    controls: dict[str, Control] = {}
    overflow: int = 0
    rises: dict[str, Rise] = {}
    onsets: list[tuple[int, str, str]] = []
    starts: dict[str, int] = {}
    links: dict[str, Link] = {}
    learning_since_ms: int = 0
    counted: dict[str, int] = {}
    """When each service last rose, for `starts`."""
    own: dict[str, Own] = {}
    cascades: int = 0
    unseen: dict[str, bool] = {}
    """Experiments ('' is what is real) with changes that no cascade was looked for in yet."""
    prompt: int = 0
    """How often since the last tick cascades were looked for at once."""
    returns: dict[str, list[int]] = {}
    heard: dict[str, int] = {}
    waiting: dict[str, Control] = {}
    beliefs: dict[str, Belief] = {}
    refunds: dict[str, Refund] = {}
    recalled: dict[str, RecoveryCommand] = {}
    """Sent before a crash and not decided on again so far, see recall.py."""
    early: dict[str, list[RecoveryResult]] = {}
    """Answers to commands that are not known yet."""


def involved(cascade: Pattern) -> set[str]:
    """The services of a cascade, with those that only their callers left."""
    return {*cascade.affected.services, *(one.target for one in cascade.edges)}


def patterns_of(state: EnvironmentState, case: Case, service: str | None = None) -> list[Pattern]:
    """The patterns of a case that last, those of one service only when it is named."""
    incident_id = case.incident.incident_id
    return [
        sight.pattern
        for pattern_id in case.incident.pattern_ids
        if (sight := state.sights.get(pattern_id)) is not None
        and sight.incident_id == incident_id
        and (service is None or sight.pattern.service == service)
    ]


def forget(state: EnvironmentState, attempts_window_ms: int) -> None:
    """Drops what is past its time or bound."""
    now = state.now_ms
    for key in _over({key: one.until_ms for key, one in state.gone.items()}, now):
        del state.gone[key]
        if key not in state.sights:
            state.serials.pop(key, None)
    for memory in (state.results, state.cooldowns, state.heard):
        for key in _over(memory, now):
            del memory[key]
    ends = {key: one.until_at_ms for key, one in state.controls.items()}
    for key in _over({key: end for key, end in ends.items() if end is not None}, now):
        del state.controls[key]
    for service, times in list(state.attempts.items()):
        state.attempts[service] = [at for at in times if at > now - attempts_window_ms]
        if not state.attempts[service]:
            del state.attempts[service]
    _forget_finished(state)
    for table in (state.gone, state.results, state.serials, state.heard):
        while len(table) > MAX_REMEMBERED:
            del table[next(iter(table))]


def _forget_finished(state: EnvironmentState) -> None:
    now = state.now_ms
    for key, case in list(state.finished.items()):
        if case.incident.updated_at_ms + MEMORY_MS <= now or len(state.finished) > MAX_FINISHED:
            del state.finished[key]
            for one in case.tries:
                state.commands.pop(one.command.command_id, None)


def _over(until: dict[str, int], now_ms: int) -> list[str]:
    return [key for key, end in until.items() if end <= now_ms]
