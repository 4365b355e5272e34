"""Commands reach every instance, and all of them together probe once."""

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from faultstream import wire
from faultstream.client import BreakerState, CircuitBreaker, Executor, steer
from faultstream.client.fleet import Fleet, _Round
from faultstream.client.seal import Seal
from faultstream.core import signing
from faultstream.core.records import RecoveryResult, Target
from tests.client import fleet_member, topics
from tests.client.topics import KEYS, command, results, signed
from tests.until import until

INSTANCES = ("orders-1", "orders-2", "orders-3", "orders-4")


class Members:
    """Processes of one service, and the folder in which they say what they do."""

    def __init__(self, broker: str, prefix: str, folder: Path) -> None:
        self.broker, self.prefix, self.folder = broker, prefix, folder

    def states(self) -> set[str]:
        """Of all breakers."""
        files = (self.folder / name for name in INSTANCES)
        return {file.read_text("utf-8") if file.exists() else "absent" for file in files}

    def calls(self) -> list[str]:
        """Which calls got through, in order."""
        file = self.folder / "calls"
        return file.read_text("utf-8").splitlines() if file.exists() else []

    def say(self, name: str) -> None:
        """Make one of the files that they look for."""
        (self.folder / name).touch()


@contextmanager
def running(broker: str, prefix: str, folder: Path) -> Iterator[Members]:
    """Four processes that are ready."""
    topics.create(broker, f"{prefix}.commands", f"{prefix}.results")
    with ExitStack() as stack:
        members = Members(broker, prefix, folder)
        for instance in INSTANCES:
            argv = [sys.executable, fleet_member.__file__, broker, prefix, instance, str(folder)]
            stack.enter_context(subprocess.Popen(argv))
        try:
            until(lambda: members.states() == {"closed"}, "all are ready", timeout_s=60)
            yield members
        finally:
            members.say("stop")


def test_all_instances_probe_within_one_budget(
    embedded_broker: str, prefix: str, tmp_path: Path
) -> None:
    """Opened together; one call of all tries the dependency, fails, and all stay open; one more
    works once it is back, and every breaker closes under its own control."""
    with running(embedded_broker, prefix, tmp_path) as members:
        order = command(parameters={"open_ms": 500, "probes": 1})
        topics.publish(embedded_broker, f"{prefix}.commands", signed(order))
        until(lambda: members.states() == {"open"}, "all are open", timeout_s=30)
        members.say("begin")
        until(lambda: len(members.calls()) >= 2, "two rounds of probes", timeout_s=30)
        before = members.calls()
        told = probes(members, rounds=2)
        # Each round has one winner, and only winners called.
        assert [line.split()[1] for line in before] == ["failed"] * len(before)
        assert len(before) <= max(told)
        members.say("works")
        until(lambda: members.states() == {"closed"}, "all are closed", timeout_s=60)
        after = members.calls()[len(before) :]
        assert after[-1].endswith("worked")


def test_instances_agree_round_by_round(embedded_broker: str, prefix: str) -> None:
    """In one process, to look inside: one winner a round, all open again when its probe failed, and
    local control for all once one worked. A breaker of the same name elsewhere is not concerned."""
    commands, told = f"{prefix}.commands", f"{prefix}.results"
    topics.create(embedded_broker, commands, told)
    works, calls = [False], []
    with ExitStack() as stack:
        breakers = []
        for instance in INSTANCES[:3]:
            executor = Executor(
                "orders", keys=KEYS, brokers=embedded_broker, instance=instance,
                commands_topic=commands, results_topic=told,
            )  # fmt: skip
            breakers.append(CircuitBreaker("db", open_ms=200, half_open_calls=1))
            steer(executor, breaker=breakers[-1])
            stack.enter_context(executor)
            until(lambda one=executor: one.stats().ready, "it reads commands")  # type: ignore[misc]

        def call() -> None:
            calls.append(works[0])
            if not works[0]:
                raise ConnectionError("away")

        def all_are(state: str) -> bool:
            for breaker in breakers:
                with contextlib.suppress(RuntimeError, ConnectionError):
                    breaker.call(call)
            return {breaker.state.value for breaker in breakers} == {state}

        order = command(parameters={"open_ms": 300, "probes": 1})
        topics.publish(embedded_broker, commands, signed(order))
        until(lambda: {one.state.value for one in breakers} == {"open"}, "all are open")
        until(lambda: not all_are("nothing") and len(calls) >= 3, "three probes failed")
        works[0] = True
        before = len(calls)
        until(lambda: all_are("closed"), "all are closed", timeout_s=40)
        assert not any(calls[:before])
        found = topics.read(embedded_broker, told, lambda records: len(records) >= 3 + 3)
    assert all(signing.signed(one.value or b"", one.headers, KEYS) for one in found)
    rounds: dict[int, list[str]] = {}
    for record in found:
        one = wire.decode(RecoveryResult, record.value)
        if one.strategy == "probe" and one.status == "failed":
            rounds.setdefault(one.details["round"], []).append(one.instance)
    assert all(len(winners) == 1 for winners in rounds.values()), rounds


def test_a_fleet_ends_with_its_executor_and_does_not_survive_a_fork(
    embedded_broker: str, prefix: str
) -> None:
    """Its thread is gone once the executor is closed; a child begins without."""
    commands, told = f"{prefix}.commands", f"{prefix}.results"
    topics.create(embedded_broker, commands, told)
    executor = Executor(
        "orders", keys=KEYS, brokers=embedded_broker, commands_topic=commands, results_topic=told
    )
    fleet, breaker = Fleet(executor), CircuitBreaker("db")
    with executor:
        until(lambda: executor.stats().ready, "it reads commands")
        fleet.join(command(), breaker, 1)
        assert threads(fleet) == [], "the breaker is closed: there is nothing to agree on"
        breaker.open_for(60_000)
        fleet.join(command(), breaker, 1)
        [thread] = threads(fleet)
    until(lambda: not thread.is_alive(), "the thread has ended")
    fleet.after_fork()
    assert (threads(fleet), fleet._rounds) == ([], {})
    fleet.at_exit()


@pytest.mark.parametrize(
    ("keys", "believed"), [(None, False), ({"k1": b"another key of 16"}, False), (KEYS, True)]
)
def test_only_signed_claims_are_believed(keys: dict[str, bytes] | None, believed: bool) -> None:
    """Who has no key of the executor can neither win probes nor say what came of them."""
    order = command()
    fleets = {}
    for instance in INSTANCES[:2]:
        executor = Executor("orders", keys=KEYS, brokers="127.0.0.1:1", instance=instance)
        fleet, breaker = Fleet(executor), CircuitBreaker("db")
        breaker.open_for(60_000)
        fleets[instance] = fleet, _Round(order, breaker, 1)
    fleet, here = fleets["orders-1"]
    other, there = fleets["orders-2"]
    fleet._rounds[order.command_id, "db"] = here
    fleet._claim(here)
    other._claim(there)
    value = wire.encode(there.untold[0])
    headers = Seal(keys).headers(value) if keys else []
    record: Any = SimpleNamespace(value=value, headers=headers)
    asyncio.run(fleet._heard(record))
    assert here.claims == (["orders-2"] if believed else [])


def threads(fleet: Fleet) -> list[threading.Thread]:
    """Its thread, if there is one."""
    return [fleet._thread] if fleet._thread is not None else []


def probes(members: Members, *, rounds: int) -> dict[int, set[str]]:
    """Who told of a probe that failed, by round; at least so many rounds."""

    def found(records: list[topics.Record]) -> dict[int, set[str]]:
        by_round: dict[int, set[str]] = {}
        for record in records:
            told = wire.decode(RecoveryResult, record.value)
            if told.strategy == "probe" and told.status == "failed":
                by_round.setdefault(told.details["round"], set()).add(told.instance)
        return by_round

    topic = f"{members.prefix}.results"
    seen = topics.read(members.broker, topic, lambda records: len(found(records)) >= rounds)
    by_round = found(seen)
    assert all(len(winners) == 1 for winners in by_round.values())
    return by_round


def test_commands_are_for_whom_they_name(embedded_broker: str, prefix: str, tmp_path: Path) -> None:
    """One instance of several, one service of several, one name of several."""
    commands, told = f"{prefix}.commands", f"{prefix}.results"
    topics.create(embedded_broker, commands, told)
    with ExitStack() as stack:
        breakers = {}
        for instance in INSTANCES[:2]:
            executor = Executor(
                "orders", keys=KEYS, brokers=embedded_broker, instance=instance,
                commands_topic=commands, results_topic=told,
            )  # fmt: skip
            own = [CircuitBreaker("db"), CircuitBreaker("card")]
            own[1].dependency = "stripe"
            steer(executor, breaker=own)
            breakers[instance] = own
            stack.enter_context(executor)
        for parameters, target in (
            ({"name": "db"}, Target(environment="production", service="orders",
                                    instances=["orders-2"])),
            ({"name": "db"}, Target(environment="production", service="payments")),
            ({"dependency": "stripe"}, Target(environment="production", service="orders")),
            ({"dependency": "paypal"}, Target(environment="production", service="orders")),
        ):  # fmt: skip
            order = command(parameters=parameters, target=target)
            topics.publish(embedded_broker, commands, signed(order))
        found = results(embedded_broker, told, 5)
        states = {name: [one.state.value for one in own] for name, own in breakers.items()}
    assert states == {"orders-1": ["closed", "open"], "orders-2": ["open", "open"]}
    assert sorted(one.status for one in found) == ["not_attempted"] * 2 + ["success"] * 3


def test_without_news_local_control_is_back() -> None:
    """A breaker that stands by probes by itself when nobody says anything until its time."""
    now = [100.0]
    breaker = CircuitBreaker("db", clock=lambda: now[0], half_open_calls=3)
    breaker.open_for(1_000, probes=1)
    breaker.stand_by(31_000)
    assert breaker.held_ms == 31_000
    now[0] += 30.9
    assert breaker.try_acquire() is None
    assert breaker.state.value == "open"
    now[0] += 0.1
    assert breaker.try_acquire() is not None
    assert breaker.state.value == "half_open"


@pytest.mark.parametrize("granted", [1, 2, 100])
def test_a_grant_is_never_more_than_the_breaker_allows(granted: int) -> None:
    """And not before its time; a grant to a breaker that does not stand by means nothing."""
    now = [100.0]
    breaker = CircuitBreaker("db", clock=lambda: now[0], half_open_calls=3)
    breaker.grant(granted)
    breaker.open_for(1_000, probes=1)
    breaker.stand_by(31_000)
    breaker.grant(granted)
    assert breaker.try_acquire() is None
    now[0] += 1.0
    permits = [breaker.try_acquire() for _ in range(5)]
    assert sum(permit is not None for permit in permits) == min(granted, 3)


def test_nobody_answers_a_lonely_breaker(prefix: str) -> None:
    """Without Kafka a command's handler neither waits nor fails; it probes alone, in its time."""
    executor = Executor("orders", keys=KEYS, brokers="127.0.0.1:1")
    breaker = CircuitBreaker(prefix)
    steer(executor, breaker=breaker)
    handler = executor._handlers["circuit_break"].handler
    outcome = handler(command(parameters={"open_ms": 1_000}))
    assert outcome is not None
    assert breaker.state is BreakerState.OPEN
    assert 0 < breaker.held_ms <= 1_000
