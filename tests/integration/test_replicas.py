"""Two replicas of notify and a real web server: who is told, and how often, while they come and go.

FAULTSTREAM_ROUNDS=10 pytest -m chaos tests/integration/test_replicas.py
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest
import yaml
from aiohttp import web
from aiokafka import AIOKafkaProducer

from faultstream import wire
from faultstream.config.topology import load
from faultstream.core.notify.decision import NotificationDecision
from faultstream.core.policy import Topology
from faultstream.core.records import Notification
from faultstream.ops import child, clock
from faultstream.stream.notify import AT_ONCE
from faultstream.transport import topics
from faultstream.transport.scan import scan
from tests import serving
from tests.until import until_async

ROUNDS: Final = int(os.environ.get("FAULTSTREAM_ROUNDS", "3"))
ENVIRONMENTS: Final = 8
PAUSE_S: Final = 0.05

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def brokers(request: pytest.FixtureRequest) -> str:
    """A broker; Apache Kafka's is a node of this test's own."""
    name = {"embedded": "embedded_broker", "apache": "own_apache_kafka"}[request.param]
    address: str = request.getfixturevalue(name)
    return address


class Replicas:
    """`faultstream worker notify`, as often as wanted, on topics of its own."""

    def __init__(self, brokers: str, prefix: str, folder: Path, hook: str) -> None:
        given = yaml.safe_load(Path("topology.yaml").read_text())
        for role, topic in load(None).topics.items():
            given["topics"][role]["name"] = f"{prefix}.{topic.name}"
        given["channels"] = {"hook": {"kind": "webhook", "url_env": "HOOK", "rate_limited": False}}
        given["notification"] = {
            "route": {"receiver": "all", "group_by": ["..."], "group_wait_ms": 0},
            "receivers": {"all": {"channels": ["hook"]}},
        }
        file = folder / "topology.yaml"
        file.write_text(yaml.safe_dump(given))
        self.topology: Topology = load(file)
        self._log = folder / "log"
        self._env = {
            **os.environ,
            "FAULTSTREAM_KAFKA": brokers,
            "FAULTSTREAM_TOPOLOGY": str(file),
            "HOOK": hook,
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        argv = [sys.executable, "-m", "faultstream", "worker", "notify"]
        with self._log.open("ab") as out:
            self.running.append(child.spawn(argv, env=self._env, stdout=out, stderr=out))

    def end(self, number: int) -> None:
        """The one that runs for longest gets a signal, and is waited for."""
        oldest = self.running.pop(0)
        oldest.send_signal(number)
        oldest.wait(60)

    def stop(self) -> None:
        for one in self.running:
            one.terminate()
        for one in self.running:
            one.wait(60)


def note(number: int) -> Notification:
    """One of an incident of its own."""
    return Notification(
        notification_id=f"n{number}",
        group="g",
        level="error",
        title=f"title {number}",
        environment=f"e{number % ENVIRONMENTS}",
        incident_id=f"i{number}",
        created_at_ms=clock.now_ms(),
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["rebalances", "kills"])
async def test_everybody_is_told_by_one_replica(
    brokers: str, prefix: str, tmp_path: Path, number: signal.Signals
) -> None:
    """Rebalances: once each. kill -9: what was on its way may come again with the same id, at most
    what one replica hands over at a time. Every notification has one decision that it was sent."""
    told: dict[str, Counter[str]] = defaultdict(Counter)

    async def handle(request: web.Request) -> web.Response:
        plain = await request.json()
        told[plain["title"]][request.headers["idempotency-key"]] += 1
        return web.Response(status=204)

    async with serving.hook(handle) as hook:
        replicas = Replicas(brokers, prefix, tmp_path, hook)
        await topics.create(brokers, replicas.topology)
        sent, stop = 0, False

        async def send() -> None:
            nonlocal sent
            async with AIOKafkaProducer(bootstrap_servers=brokers, acks="all") as producer:
                while not stop:
                    made = note(sent)
                    topic = replicas.topology.topic("notifications")
                    key = made.environment.encode()
                    await producer.send_and_wait(topic, wire.encode(made), key=key)
                    sent += 1
                    await asyncio.sleep(PAUSE_S)

        sending = asyncio.create_task(send())
        try:
            replicas.start()
            replicas.start()
            for _ in range(ROUNDS):
                before = len(told)
                await until_async(_more(told, before + 40), "messages go out", timeout_s=120)
                await asyncio.to_thread(replicas.end, number)
                replicas.start()
            stop = True
            await sending
            await until_async(_more(told, sent), "everybody is told", timeout_s=120)
        finally:
            stop = True
            await asyncio.to_thread(replicas.stop)
    assert {len(ids) for ids in told.values()} == {1}
    again = sum(sum(ids.values()) - 1 for ids in told.values())
    assert again <= (ROUNDS * AT_ONCE if number == signal.SIGKILL else 0)
    decided = await _decisions(brokers, replicas.topology)
    kinds = Counter(one for each in decided if each.kind == "sent" for one in each.notification_ids)
    assert kinds == Counter(f"n{at}" for at in range(sent))


def _more(told: dict[str, Counter[str]], many: int) -> Callable[[], Awaitable[bool]]:
    async def enough() -> bool:
        return len(told) >= many

    return enough


async def _decisions(brokers: str, topology: Topology) -> list[NotificationDecision]:
    """Each once."""
    policy = topology.topics["notification_decisions"]
    found: dict[str, NotificationDecision] = {}
    async for record in scan(brokers, policy.name, dict.fromkeys(range(policy.partitions), 0)):
        made = wire.decode(NotificationDecision, record.value)
        found[made.decision_id] = made
    return list(found.values())
