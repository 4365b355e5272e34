"""The respond stage in a thread, on a real broker: what operators wish for reaches it as always."""

import asyncio
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from aiokafka import AIOKafkaProducer

from faultstream import wire
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from faultstream.ops import clock
from faultstream.stream.control import ControlReader
from faultstream.stream.respond import RespondStage
from faultstream.stream.stage import Effects, Source
from faultstream.transport import topics
from tests.stream.records import Raw

TICK_S: Final = 0.05


class Responder:
    """Responds to `patterns`, which stand on their topic too, and to controls until the end of the
    block."""

    def __init__(self, brokers: str, topology: Topology, patterns: Sequence[Pattern]) -> None:
        self._brokers = brokers
        self._topology = topology
        self._patterns = patterns
        self._ready = threading.Event()
        self._end = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join(30)
        if self._failure is not None:
            raise self._failure

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as exc:  # noqa: BLE001 - told to the test
            self._failure = exc
        finally:
            self._ready.set()

    async def _run(self) -> None:
        await topics.create(self._brokers, self._topology)
        stage = RespondStage(self._topology, key=b"0123456789abcdef", key_id="k1")
        stage.restore(0, {}, {})
        source = Source("patterns", self._topology.topic("patterns"), 0)
        controls = ControlReader(self._brokers, self._topology.topic("control"), stage.control)
        async with AIOKafkaProducer(bootstrap_servers=self._brokers) as producer:

            async def publish(effects: Effects) -> None:
                for output in effects.outputs:
                    topic = self._topology.topic(output.role)
                    await producer.send_and_wait(topic, output.value, key=output.key)

            values = [wire.encode(pattern) for pattern in self._patterns]
            for value in values:
                await producer.send_and_wait(source.topic, value, key=b"production")
            records = [Raw(offset, value) for offset, value in enumerate(values)]
            await publish(stage.take(source, records, clock.now_ms()))
            await controls.start()
            reader = asyncio.ensure_future(controls.run())
            self._ready.set()
            while not self._end.is_set():
                await publish(stage.tick(clock.now_ms()))
                await asyncio.sleep(TICK_S)
            reader.cancel()
            await controls.stop()
