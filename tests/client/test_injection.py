"""Fault injection: when it strikes, what it does, and that its errors can be told apart."""

import asyncio
import random
from typing import Any

import pytest

from faultstream.client import CallTimeoutError, Executor, Outcome, Reporter, Timeout, injection
from faultstream.client.about import experiment_of
from faultstream.client.injection import Injector
from faultstream.core.records import RecoveryCommand
from tests.client import topics
from tests.client.clock import Clock
from tests.client.topics import KEYS, command, signed
from tests.until import until


def counted(injector: Injector, calls: int = 1_000) -> list[bool]:
    """Which calls of target db work."""

    @injector.point("db")
    def work() -> None:
        return None

    done = []
    for _ in range(calls):
        try:
            work()
            done.append(True)
        except ConnectionError:
            done.append(False)
    return done


def test_nothing_strikes_unless_it_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Off by default; FAULTSTREAM_INJECT=1 switches the module's own injector on."""
    with Injector(enabled=False).inject("db", ConnectionError) as off:
        assert all(counted(off._injector))
    assert not injection.default.enabled
    monkeypatch.setenv("FAULTSTREAM_INJECT", "1")

    @injection.inject("mail", OSError)
    def send() -> str:
        return "sent"

    with pytest.raises(OSError, match="injected into mail"):
        send()
    injection.default.end_all()
    assert send() == "sent"


def test_equal_seeds_strike_equal_calls() -> None:
    """The share is the probability, and the same source of chance gives the same run."""

    def run(seed: int) -> list[bool]:
        injector = Injector(enabled=True, chance=random.Random(seed))
        with injector.inject("db", ConnectionError, probability=0.3) as one:
            done = counted(injector)
        assert one.struck == done.count(False)
        return done

    first = run(1)
    assert 250 < first.count(False) < 350
    assert first == run(1) != run(2)


def test_it_ends_with_its_time_and_with_its_block() -> None:
    """Only its own target is struck, until the duration is over or the block is left."""
    clock = Clock()
    injector = Injector(enabled=True, clock=clock)
    with injector.inject("db", ConnectionError, duration_s=10):
        clock.move(9.9)
        assert counted(injector, 1) == [False]
        clock.move(0.2)
        assert counted(injector, 1) == [True]
    with injector.inject("db", ConnectionError):
        assert counted(injector, 1) == [False]
    assert counted(injector, 1) == [True]
    with injector.inject("other", ConnectionError):
        assert counted(injector, 1) == [True]


async def test_delays_and_lost_items() -> None:
    """Sync and async calls wait as long as said; containers lose items, other results nothing."""
    slept: list[float] = []

    async def asleep(seconds: float) -> None:
        slept.append(seconds)

    injector = Injector(enabled=True, sleep=slept.append, asleep=asleep, chance=random.Random(1))

    @injector.point("db")
    def rows() -> list[int]:
        return list(range(1_000))

    @injector.point("db")
    async def text() -> str:
        return "whole"

    with injector.inject("db", latency_ms=1_500, lose_ratio=0.5):
        found = rows()
        assert await text() == "whole"
    assert slept == [1.5, 1.5]
    assert 400 < len(found) < 600
    assert found == sorted(found)
    assert len(rows()) == 1_000


async def test_a_timeout_because_of_a_delay_belongs_to_the_experiment() -> None:
    """What cuts the delay short is chained to it, and labelled through the chain."""
    injector = Injector(enabled=True)

    @Timeout(5)
    @injector.point("db")
    async def work() -> None:
        return None

    with (
        injector.inject("db", latency_ms=60_000, experiment_id="exp-7"),
        pytest.raises(CallTimeoutError) as caught,
    ):
        await work()
    assert experiment_of(caught.value) == "exp-7"
    await work()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing to inject"),
        ({"error": OSError, "probability": 1.1}, "probability: expected 0 to 1, got 1.1"),
        ({"lose_ratio": -0.1}, "lose_ratio: expected 0 to 1"),
        ({"error": OSError, "duration_s": 0}, "duration_s: above 0, at most 3600, got 0"),
        ({"latency_ms": 600_001}, "latency_ms: expected 0 to 600000"),
    ],
)
def test_bounds_are_kept(options: dict[str, Any], message: str) -> None:
    """What is out of bounds is refused."""
    with pytest.raises(ValueError, match=message):
        Injector(enabled=True).inject("db", **options)


def test_commands_need_an_experiment_and_an_open_door() -> None:
    """Not attempted when off, without an experiment, with unknown errors, or with a target that is
    missing or no point of this injector."""

    def told(enabled: bool, **changes: Any) -> tuple[str, str]:
        executor = Executor("orders", keys=KEYS)
        injector = Injector(enabled=enabled)
        injector.point("db")(dict)
        injector.obey(executor)
        handler: Any = executor._handlers["inject"].handler
        outcome: Outcome = handler(command("inject", **changes))
        return outcome.status, outcome.message

    good = {"target": "db", "error": "OSError"}
    assert told(False, experiment_id="e", parameters=good)[1] == "fault injection is off here"
    assert told(True, parameters=good)[1] == "the command names no experiment"
    status, text = told(True, experiment_id="e", parameters={**good, "error": "SystemExit"})
    assert (status, "got 'SystemExit'" in text) == ("not_attempted", True)
    assert told(True, experiment_id="e", parameters={"error": "OSError"}) == (
        "not_attempted", "parameters: KeyError: 'target'"
    )  # fmt: skip
    assert told(True, experiment_id="e", parameters={**good, "target": "cache"}) == (
        "not_attempted", "this injector has no point 'cache'; it has db"
    )  # fmt: skip
    assert told(True, experiment_id="e", parameters={**good, "duration_s": 5}) == (
        "success", "db for 5 s"
    )  # fmt: skip


def test_a_signed_command_injects_until_it_is_taken_back(embedded_broker: str, prefix: str) -> None:
    """From the topic to the error and its event with the experiment's id, and to the end."""
    names = {"commands_topic": f"{prefix}.commands", "results_topic": f"{prefix}.results"}
    topics.create(embedded_broker, f"{prefix}.errors", *names.values())
    injector = Injector(enabled=True)
    executor = Executor("orders", keys=KEYS, brokers=embedded_broker, **names)  # type: ignore[arg-type]
    injector.obey(executor)
    reporter = Reporter("orders", brokers=embedded_broker, topic=f"{prefix}.errors")

    def publish(order: RecoveryCommand) -> None:
        topics.publish(embedded_broker, names["commands_topic"], signed(order))

    @reporter.capture(swallow=True)
    @injector.point("db")
    def work() -> None:
        return None

    with executor, reporter:
        publish(
            command(
                "inject",
                experiment_id="exp-9",
                parameters={"target": "db", "error": "ConnectionError"},
            )
        )
        until(lambda: counted(injector, 1) == [False], "the fault is there")

        work()
        publish(command("inject", experiment_id="exp-9", rollback_of="earlier"))
        until(lambda: counted(injector, 1) == [True], "the fault is gone")
    event = topics.events(embedded_broker, f"{prefix}.errors", 1)[0]
    assert (event["error_type"], event["experiment_id"]) == ("ConnectionError", "exp-9")


def test_injections_from_threads_and_tasks_add_up() -> None:
    """Points work in coroutine functions under gather as well."""
    injector = Injector(enabled=True)

    @injector.point("db")
    async def work() -> None:
        return None

    async def main() -> int:
        done = await asyncio.gather(*(work() for _ in range(10)), return_exceptions=True)
        return sum(isinstance(one, OSError) for one in done)

    with injector.inject("db", OSError) as one:
        assert asyncio.run(main()) == one.struck == 10
