"""Laws of response: whatever comes in, in whatever order, the guards hold and incidents end."""

from collections import defaultdict
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from faultstream import wire
from faultstream.core.controls import Cancel, Trigger, ask
from faultstream.core.guards import danger_of
from faultstream.core.incident import STALE_MS
from faultstream.core.records import (
    Control,
    ControlKind,
    Incident,
    Notification,
    Pattern,
    PatternKind,
    RecoveryCommand,
    RecoveryResult,
    ResultStatus,
)
from faultstream.core.respond import Input, Output, Respond, Tick
from tests.core import making
from tests.core.making import T0

SERVICES = ("gateway", "orders", "payments", "database", "elsewhere")
TOPOLOGY = making.topology(
    services={
        "gateway": {"layer": "api", "depends_on": ["orders"]},
        "orders": {"layer": "service", "depends_on": ["payments"], "instances": 2},
        "payments": {"layer": "core", "depends_on": ["database"]},
        "database": {"layer": "infrastructure"},
    },
    guards={"storm_incidents": 4, "max_attempts": 2},
)
LAYERS = {name: one.layer for name, one in TOPOLOGY.services.items()}
CATEGORIES = ("network", "database", "timeout", "validation", "")
STATUSES: tuple[ResultStatus, ...] = (
    "in_progress", "success", "partial", "failed", "not_attempted", "rejected", "expired",
)  # fmt: skip


class Responding(RuleBasedStateMachine):
    """Random inputs; a twin is saved and loaded after every one, and must say the same."""

    topology = TOPOLOGY

    def __init__(self) -> None:
        super().__init__()
        self.respond = Respond(self.topology)
        self.state = self.respond.new("production")
        self.twin = self.respond.new("production")
        self.now = T0
        self.paused = False
        self.given: list[tuple[Input, int]] = []
        self.out: list[Output] = []
        self.patterns: dict[str, Pattern] = {}
        self.commands: list[RecoveryCommand] = []
        self.last: dict[str, Incident] = {}
        self.sent: dict[str, list[RecoveryCommand]] = defaultdict(list)
        self.answered: dict[str, dict[str, str]] = {}
        self.own: dict[str, int] = {}
        self.results = 0
        self.asked = 0
        self.before = 0
        self.ill_before: set[str] = set()

    @initialize()
    def start(self) -> None:
        """Nothing is known at first."""
        assert not self.respond.wants_tick(self.state)

    def give(self, one: Input) -> list[Output]:
        """Steps both."""
        self.given.append((one, self.now))
        self.look()
        made = self.respond.step(self.state, one, self.now)
        twin = self.respond.step(self.twin, one, self.now)
        assert [wire.encode(x) for x in made] == [wire.encode(x) for x in twin]
        self.twin = self.respond.load(self.respond.save(self.twin))
        assert self.respond.save(self.twin) == self.respond.save(self.state)
        self.hear(made)
        return made

    def look(self) -> None:
        """What is open before a step; a guard may have been asked then, or later in the step."""
        self.before = len(self.state.cases)
        self.ill_before = {case.service for case in self.state.cases.values()}

    def hear(self, made: list[Output]) -> None:
        """Checks what comes out."""
        for x in made:
            if isinstance(x, RecoveryCommand):
                self.check_command(x)
            elif isinstance(x, Incident):
                self.check_incident(x)
            elif isinstance(x, Pattern):
                self.check_pattern(x)
            else:
                assert not x.experiment_id
                assert x.incident_id in self.last
        self.out += made

    def check_command(self, x: RecoveryCommand) -> None:
        """Never more than max_attempts per target and window, never while paused, ids unique."""
        guards = self.topology.guards
        assert not self.paused
        assert x.command_id not in {one.command_id for one in self.commands}
        assert x.issued_at_ms < x.expires_at_ms == self.now + guards.command_ttl_ms
        assert len(x.reason) > 10
        if x.rollback_of:
            self.check_rollback(x)
        else:
            self.check_attempt(x)
        self.commands.append(x)

    def check_rollback(self, x: RecoveryCommand) -> None:
        """What is taken back was commanded, for the same target, and is taken back once."""
        (first,) = [one for one in self.commands if one.command_id == x.rollback_of]
        assert first.target.service == x.target.service
        assert self.topology.strategies[first.strategy].undo == x.strategy
        assert x.rollback_of not in {one.rollback_of for one in self.commands}

    def check_attempt(self, x: RecoveryCommand) -> None:
        """Every guard, for each step of a workflow as for a command of its own."""
        guards = self.topology.guards
        sent = self.sent[x.target.service]
        sent.append(x)
        recent = [
            one
            for one in sent
            if one.issued_at_ms > self.now - guards.attempts_window_ms and self.counts(one)
        ]
        assert len(recent) <= guards.max_attempts
        assert min(self.before, len(self.state.cases)) <= guards.storm_incidents
        policy = self.topology.strategies[x.strategy]
        whole = self.topology.strategies[x.workflow or x.strategy]
        layer = self.topology.layers.get(LAYERS.get(x.target.service, "service"))
        danger = danger_of(self.topology, whole)
        if danger == "high" or layer is None or not layer.automatic:
            assert x.approved_by
        if policy.danger != "low":
            self.check_radius(x)
        for one in self.commands:
            same = one.strategy == x.strategy and one.target.service == x.target.service
            if same and not one.rollback_of:
                assert self.now - one.issued_at_ms >= policy.cooldown_ms

    def check_radius(self, x: RecoveryCommand) -> None:
        """What takes capacity away leaves enough healthy services, the target not among them."""
        known = self.topology.services
        ill = {case.service for case in self.state.cases.values()}
        shares = [
            1 - len((those | {x.target.service}) & known.keys()) / len(known)
            for those in (ill, self.ill_before)
        ]
        assert max(shares) >= self.topology.guards.min_healthy_ratio

    def counts(self, x: RecoveryCommand) -> bool:
        """Whether a command is an attempt, by what was answered up to now: it is not once every
        answer said that nothing was done, and all known instances said so or it has expired."""
        answers = self.answered.get(x.command_id, {})
        if not answers or set(answers.values()) - {"not_attempted", "rejected", "expired"}:
            return True
        known = self.topology.services.get(x.target.service)
        everyone = known is not None and known.instances and len(answers) >= known.instances
        return not everyone and self.now < x.expires_at_ms

    def check_pattern(self, x: Pattern) -> None:
        """Revisions grow by one from 1; told again as input, it changes nothing."""
        assert x.revision == self.own.get(x.pattern_id, 0) + 1
        self.own[x.pattern_id] = x.revision
        assert x.kind in {"cascade", "correlation", "recovery_loop"}
        before = self.respond.save(self.state)
        assert self.respond.step(self.state, x, self.now) == []
        assert self.respond.save(self.state) == before

    def check_incident(self, x: Incident) -> None:
        """Revisions grow by one; what is over stays over."""
        before = self.last.get(x.incident_id)
        assert x.revision == (before.revision + 1 if before else 1)
        if before is not None and before.state in {"resolved", "closed"}:
            assert x.state == before.state
        if x.state == "resolved":
            assert x.resolved_at_ms is not None
        self.last[x.incident_id] = x

    @rule(
        service=st.sampled_from(SERVICES),
        category=st.sampled_from(CATEGORIES),
        transient=st.booleans(),
        count=st.integers(1, 30),
        age=st.sampled_from([0, 500, 200_000]),
        experiment=st.sampled_from(["", "", "", "x1"]),
        kind=st.sampled_from(["recurring", "recurring", "predicted"]),
    )
    def opens(
        self,
        *,
        service: str,
        category: str,
        transient: bool,
        count: int,
        age: int,
        experiment: str,
        kind: PatternKind,
    ) -> None:
        """A pattern opens."""
        one = Pattern(
            pattern_id=f"p{len(self.patterns)}",
            revision=1,
            kind=kind if category else "burst",
            state="open",
            environment="production",
            service=service,
            layer=LAYERS.get(service, ""),
            fingerprint=f"{service}-{category}" if category else "",
            error_type="SomeError",
            category=category,
            severity="high",
            transient=transient,
            first_at_ms=self.now - age,
            last_at_ms=self.now - age,
            detected_at_ms=self.now - age,
            count=count,
            rate=count / 5,
            experiment_id=experiment,
        )
        self.patterns[one.pattern_id] = one
        self.give(one)

    @rule(data=st.data(), rate=st.sampled_from([0.0, 0.1, 3.0]), close=st.booleans())
    def changes(self, data: st.DataObject, *, rate: float, close: bool) -> None:
        """A pattern that lasts is told again, or closes."""
        lasting = [key for key, one in self.patterns.items() if one.state != "closed"]
        if not lasting:
            return
        key = data.draw(st.sampled_from(lasting))
        before = self.patterns[key]
        changes: dict[str, Any] = {"revision": before.revision + 1, "rate": rate}
        if close:
            changes |= {"state": "closed", "rate": 0.0, "closed_at_ms": self.now}
        else:
            changes |= {"state": "updated", "count": before.count + 1}
            if rate:
                changes["last_at_ms"] = self.now
        self.patterns[key] = msgspec.structs.replace(before, **changes)
        self.give(self.patterns[key])

    @rule(data=st.data())
    def repeats(self, data: st.DataObject) -> None:
        """An input that was seen comes again: patterns and results change nothing."""
        seen = [one for one, _ in self.given if isinstance(one, Pattern | RecoveryResult)]
        if seen:
            assert self.give(data.draw(st.sampled_from(seen))) == []

    @rule(
        data=st.data(),
        status=st.sampled_from(STATUSES),
        instance=st.sampled_from(["i1", "i2", ""]),
        known=st.booleans(),
    )
    def answers(
        self, data: st.DataObject, *, status: ResultStatus, instance: str, known: bool
    ) -> None:
        """An executor answers, perhaps late, perhaps to a command that nobody gave."""
        self.results += 1
        given = known and self.commands
        command = data.draw(st.sampled_from(self.commands)) if given else None
        if command is not None and status != "in_progress":
            if status in {"success", "partial", "failed"} and not self.counts(command):
                return  # nobody begins what has expired, or what all said they would not do
            self.answered.setdefault(command.command_id, {}).setdefault(instance or "test", status)
        self.give(
            RecoveryResult(
                result_id=f"r{self.results}",
                command_id=command.command_id if command else "unknown",
                incident_id=command.incident_id if command else "unknown",
                executor="test",
                instance=instance,
                status=status,
                started_at_ms=self.now,
                finished_at_ms=self.now,
            )
        )

    @rule(
        data=st.data(),
        kind=st.sampled_from(["approve", "cancel", "resolve", "acknowledge", "silence"]),
        by=st.sampled_from(["ann", ""]),
    )
    def operates(self, data: st.DataObject, *, kind: ControlKind, by: str) -> None:
        """A person acts on an incident, perhaps one that is over."""
        known = sorted(self.last)
        subject = data.draw(st.sampled_from(known)) if known else "nothing"
        self.give(Control(control_id="c", kind=kind, subject=subject, by=by, set_at_ms=self.now))

    @rule(
        service=st.sampled_from(SERVICES),
        strategy=st.sampled_from(["", "retry", "service_restart", "renew", "nothing"]),
        dry_run=st.booleans(),
    )
    def triggers(self, *, service: str, strategy: str, dry_run: bool) -> None:
        """A person asks for recovery, perhaps of errors that nobody knows."""
        wish = Trigger(service=service, strategy=strategy, dry_run=dry_run, category="network")
        made = ask(wish, environment="production", by="kim", now_ms=self.now)
        self.asked += 1
        self.give(made)
        self.give_again(made)

    @rule(data=st.data(), rollback=st.booleans())
    def cancels(self, data: st.DataObject, *, rollback: bool) -> None:
        """A person cancels, and has it taken back or not."""
        if self.last:
            wish = Cancel(
                incident_id=data.draw(st.sampled_from(sorted(self.last))), rollback=rollback
            )
            self.give(ask(wish, environment="production", by="kim", now_ms=self.now))

    def give_again(self, one: Control) -> None:
        """A wish that was heeded does nothing when it is read again."""
        if one.control_id in self.state.heard:
            assert not [x for x in self.give(one) if isinstance(x, RecoveryCommand)]

    @rule(active=st.booleans())
    def pauses(self, *, active: bool) -> None:
        """Recovery is paused or resumed for all."""
        self.paused = active
        self.give(
            Control(
                control_id="p", kind="pause", subject="pause/*", active=active, set_at_ms=self.now
            )
        )

    @rule(length=st.sampled_from([50, 1_000, 5_000, 12_000, 60_000, 400_000]))
    def waits(self, *, length: int) -> None:
        """Time passes."""
        self.now += length
        self.give(Tick(self.now))

    @rule(length=st.sampled_from([1, 5_000, 3_600_000]))
    def goes_back(self, *, length: int) -> None:
        """The clock of another machine is behind: time stands still, and the guards hold."""
        if self.state.now_ms < self.now:
            return  # nothing was said yet
        early = self.now - length
        self.given.append((Tick(early), early))
        self.look()
        made = self.respond.step(self.state, Tick(early), early)
        assert self.respond.step(self.twin, Tick(early), early) == made
        assert self.state.now_ms == self.now
        self.hear(made)

    @invariant()
    def bounded(self) -> None:
        """There are never more open incidents than open patterns and what people asked for."""
        assert len(self.state.cases) <= max(1, len(self.patterns) + self.asked)

    def teardown(self) -> None:
        """A replay gives equal bytes; and when nothing comes any more, everything ends."""
        again = self.respond.new("production")
        made = [x for one, now in self.given for x in self.respond.step(again, one, now)]
        assert [wire.encode(x) for x in made] == [wire.encode(x) for x in self.out]
        for _ in range(3 * STALE_MS // 15_000):
            self.now += 15_000
            self.give(Tick(self.now))
        assert not self.respond.wants_tick(self.state)
        told = [x.notification_id for x in self.out if isinstance(x, Notification)]
        assert len(told) == len(set(told))


class Stepping(Responding):
    """The same laws with workflows that are taken back, learning from the start, and prevention."""

    topology = making.topology(
        services=msgspec.to_builtins(TOPOLOGY.services),
        guards={"storm_incidents": 4, "max_attempts": 3},
        prevention={"enabled": True},
        learning={"after": 0},
        strategies={
            **msgspec.to_builtins(TOPOLOGY.strategies),
            "drain": {"undo": "fill"},
            "fill": {},
            "renew": {
                "steps": [
                    {"id": "drain", "strategy": "drain"},
                    {"id": "scale", "strategy": "resource_scale", "needs": ["drain"]},
                ],
            },
        },
        routes=[{"name": "all", "strategies": ["renew", "circuit_break", "service_restart"]}],
    )


TestResponding = Responding.TestCase
TestResponding.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestStepping = Stepping.TestCase
TestStepping.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
