"""What respond sent before a crash is read back from its topic and decided on in the same way."""

from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from faultstream import wire
from faultstream.config.topology import load
from faultstream.core import signing
from faultstream.core.records import RecoveryCommand, RecoveryResult
from faultstream.ops import clock
from faultstream.stream.recall import Recall
from faultstream.stream.respond import RespondStage
from faultstream.stream.stage import Effects, Source
from faultstream.transport import topics
from tests.conftest import prefixed
from tests.core.responding import pattern
from tests.stream.records import Raw

NOW = 1_800_000_000_000
PATTERNS = Source("patterns", "faultstream.patterns.v1", 0)
RESULTS = Source("results", "faultstream.recovery.results.v1", 0)
KEY = b"0123456789abcdef"
FOUND = wire.encode(pattern(first_at_ms=NOW, last_at_ms=NOW, detected_at_ms=NOW))


def commands(effects: Effects) -> list[RecoveryCommand]:
    """The commands among what a stage says."""
    return [
        wire.decode(RecoveryCommand, one.value) for one in effects.outputs if one.role == "commands"
    ]


class Log:
    """What stands on the commands topic, and since when it was asked for."""

    def __init__(self, *sent: RecoveryCommand) -> None:
        self.sent = sent
        self.asked: list[int] = []
        self.away = False

    async def since(self, since_ms: int) -> Sequence[RecoveryCommand]:
        """See Recall."""
        self.asked.append(since_ms)
        if self.away:
            raise KafkaConnectionError
        return self.sent


def stage(*strategies: str, log: Log | None = None) -> RespondStage:
    """One that tries these strategies in their order."""
    topology = load(None)
    route = msgspec.structs.replace(topology.routes[-1], name="all", strategies=strategies)
    topology = msgspec.structs.replace(topology, routes=(route,))
    made = RespondStage(topology, key=KEY, key_id="k1", sent=None if log is None else log.since)
    made.restore(0, {}, {})
    return made


async def ours() -> bool:
    """The fence: nobody else has the partitions."""
    return True


async def test_what_a_crash_undid_is_decided_in_the_same_way() -> None:
    """The same command in the same bytes, though another one would be chosen now; its answer
    counts, although it is read before the pattern."""
    (first,) = commands(stage("retry", "fallback").take(PATTERNS, [Raw(0, FOUND)], NOW))
    answer = RecoveryResult(
        result_id="r", command_id=first.command_id, incident_id=first.incident_id,
        environment="production", executor="test", instance="i", status="success",
        started_at_ms=NOW, finished_at_ms=NOW,
    )  # fmt: skip
    log = Log(first)
    fresh = stage("fallback", "retry", log=log)
    fresh.tick(NOW + 5_000)
    assert await fresh.prepare()
    assert log.asked == [NOW + 5_000 - 600_000]
    fresh.take(RESULTS, [Raw(0, wire.encode(answer))], NOW + 5_000)
    effects = fresh.take(PATTERNS, [Raw(0, FOUND)], NOW + 5_000)
    assert commands(effects) == [first]
    incidents = [one.value for one in effects.outputs if one.role == "incidents"]
    assert b'"state":"verifying"' in incidents[-1]
    (other,) = commands(stage("fallback", "retry").take(PATTERNS, [Raw(0, FOUND)], NOW))
    assert other.strategy == "fallback"


async def test_nothing_is_decided_before_it_is_known_what_was_sent() -> None:
    """No input is taken and no time passes while the broker does not tell; a takeover begins it
    anew, from when the states were saved."""
    log = Log()
    log.away = True
    made = stage("retry", log=log)
    assert not await made.prepare(), "the states are not there yet"
    assert await made.settle(ours), "nor is there anything to save"
    made.tick(NOW)
    assert not await made.prepare()
    assert not await made.settle(ours)
    log.away = False
    assert await made.settle(ours)
    assert await made.prepare()
    assert len(log.asked) == 3
    made.take(PATTERNS, [Raw(0, FOUND)], NOW)
    rows = {key: value for key, value in made.snapshot()[0] if value is not None}
    made.forget()
    made.restore(0, rows, {PATTERNS.topic: 99})
    assert not made.tick(NOW + 9_000).outputs
    assert await made.prepare()
    assert log.asked[3:] == [NOW]


async def test_commands_are_read_back_from_their_topic(broker: str, prefix: str) -> None:
    """Those of the time that is asked for, from every partition, if they are signed with a known
    key."""
    topology, now = prefixed(load(None), prefix), clock.now_ms() - 60_000
    await topics.create(broker, topology)
    (given,) = commands(stage("retry").take(PATTERNS, [Raw(0, FOUND)], NOW))
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    try:
        for number in range(40):
            made = msgspec.structs.replace(
                given, command_id=f"c{number}", issued_at_ms=now + number
            )
            value = wire.encode(made)
            key = KEY if number % 2 else b"a forged key, 16 bytes"
            await producer.send_and_wait(
                topology.topic("commands"),
                value,
                partition=number % 4,
                timestamp_ms=made.issued_at_ms - 2_000,
                headers=signing.headers(value, key, "k1"),
            )
        await producer.send_and_wait(topology.topic("commands"), b"no command", partition=0)
    finally:
        await producer.stop()
    found = await Recall(broker, topology, {"k1": KEY}).since(now + 20)
    assert sorted(one.issued_at_ms - now for one in found) == [*range(21, 40, 2)]
