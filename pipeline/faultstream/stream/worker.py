"""One worker process: waits for the broker, checks the topics, runs one stage until told to end.

Exit codes: 0 after a clean stop, 1 when the worker failed, 2 when topics are missing or differ,
3 when no broker answers.
"""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted

from faultstream.core.policy import Topology
from faultstream.ops import log, metrics
from faultstream.ops.health import Health, HealthServer
from faultstream.stream.app import QUICK_SESSION_S, SESSION_S, build_app, changelog
from faultstream.stream.control import ControlReader
from faultstream.stream.loop import CHECKPOINT_S, Loop
from faultstream.stream.outbox import Outbox
from faultstream.stream.stage import Stage, Steered
from faultstream.stream.watchdog import Watchdog
from faultstream.transport import topics
from faultstream.transport.reading import App

BROKER_WAIT_S: Final = 300.0
BROKER_QUIET_S: Final = 3.0
"""For so long it waits for a broker without saying so."""
STOP_S: Final = 12.0
"""Less than the 15 s after which `up` and most supervisors kill: what is not acknowledged by then
is delivered again."""
FAILED_STOP_S: Final = 5.0
EMBEDDED_CLUSTER: Final = "tansu_cluster"
URGENT: Final = frozenset({"detect", "respond"})
"""Workers that stand between an error and its command."""
QUICK_FETCH_MS: Final = 10
"""Of urgent workers at the embedded broker, which looks for new records only twice in the time
that a fetch may wait. Apache Kafka answers at once, so the usual wait costs no time there."""
DETECT_CHECKPOINT_S: Final = 3.0
"""A checkpoint holds up what comes meanwhile, and after a crash detect repeats its seconds in no
time, with the same outputs."""
_SWITCH_S: Final = 0.001
"""For how long a thread that computes may hold up one that reads; Python's 5 ms add up."""
_HEADER_BYTES: Final = 128 * 1024

_log = log.get(__name__)


class WrongTopicsError(RuntimeError):
    """Topics are missing or not as the topology wants them; the message has the mend."""


async def run(
    make: Callable[[Health], Awaitable[Stage]],
    topology: Topology,
    brokers: str,
    *,
    metrics_port: int = 0,
    metrics_host: str = "127.0.0.1",
    broker_wait_s: float = BROKER_WAIT_S,
) -> int:
    """Run the stage that `make` gives until SIGTERM or SIGINT; the exit code.

    Raises:
        WrongTopicsError: before the first record.
        PortTakenError: nobody can listen where metrics are to be shown.
        aiokafka.errors.KafkaConnectionError: no broker answered within `broker_wait_s`.
    """
    health = Health()
    stop = asyncio.Event()
    event_loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        event_loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        if metrics_port:
            server = HealthServer(health, metrics_port, metrics_host)
            await server.start()
            stack.push_async_callback(server.stop)
        health.wait("broker", f"waiting for {brokers}")
        work = asyncio.ensure_future(
            _work(make, topology, brokers, health=health, stop=stop, broker_wait_s=broker_wait_s)
        )
        halt = asyncio.ensure_future(stop.wait())
        await asyncio.wait({work, halt}, return_when=asyncio.FIRST_COMPLETED)
        try:
            async with asyncio.timeout(STOP_S if stop.is_set() else None):
                return await work
        except TimeoutError:
            _log.error("stop_took_too_long", limit_s=STOP_S)
            return 1
        finally:
            halt.cancel()


async def _work(
    make: Callable[[Health], Awaitable[Stage]],
    topology: Topology,
    brokers: str,
    *,
    health: Health,
    stop: asyncio.Event,
    broker_wait_s: float,
) -> int:
    ready = asyncio.ensure_future(topics.wait_for_broker(brokers, broker_wait_s))
    tell = asyncio.get_running_loop().call_later(
        BROKER_QUIET_S,
        lambda: _log.warning("waiting_for_broker", brokers=brokers, at_most_s=broker_wait_s),
    )
    try:
        if not await _first(ready, stop):
            return 0
    finally:
        tell.cancel()
    stage = await make(health)
    embedded = await _prepare(stage, topology, brokers)
    health.well("broker")
    async with AsyncExitStack() as stack:
        largest = max(topic.max_message_bytes for topic in topology.topics.values())
        names = {role: topic.name for role, topic in topology.topics.items()}
        outbox = Outbox(
            brokers, names, health, max_bytes=largest + _HEADER_BYTES, keyed=stage.keyed
        )
        await outbox.start()
        stack.push_async_callback(outbox.stop)
        if isinstance(stage, Steered):
            controls = ControlReader(brokers, topology.topic("control"), stage.control)
            stack.push_async_callback(controls.stop)
            await controls.start()
            _background(stack, asyncio.ensure_future(controls.run()))
        app, loop = build_app(
            stage,
            topology,
            brokers,
            outbox=outbox,
            health=health,
            session_s=QUICK_SESSION_S if embedded else SESSION_S,
            checkpoint_s=DETECT_CHECKPOINT_S if stage.name == "detect" else CHECKPOINT_S,
        )
        if embedded and stage.name in URGENT:
            app.reading.fetch_wait_ms = QUICK_FETCH_MS
        watchdog = _watchdog(app, stage, brokers, health)
        _background(stack, asyncio.ensure_future(watchdog.run(loop.fail)))
        return await _serve(app, loop, stage, health, stop)


def _spare_the_collector() -> None:
    """What is there now stays for good: the collector need not walk it again and again, and what
    comes and goes per record is freed without it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(_SWITCH_S)


async def _serve(app: App, loop: Loop, stage: Stage, health: Health, stop: asyncio.Event) -> int:
    """Start the app, wait for the end of it or of our time, stop it."""
    start = asyncio.ensure_future(app.start())
    crashed = asyncio.ensure_future(app._crashed.wait())  # noqa: SLF001 - mode has no other way
    halt = asyncio.ensure_future(stop.wait())
    await asyncio.wait({start, crashed, halt}, return_when=asyncio.FIRST_COMPLETED)
    if start.done() and start.exception() is None and not stop.is_set():
        health.well("start")
        _spare_the_collector()
        _log.info("worker_ready", worker=stage.name)
        await asyncio.wait({crashed, halt}, return_when=asyncio.FIRST_COMPLETED)
    failed = loop.failure or app.crash_reason
    if start.done() and not start.cancelled():
        failed = failed or start.exception()
    halt.cancel()
    crashed.cancel()
    if failed is not None:
        health.fail(stage.name, str(failed))
        _log.error("worker_ends", worker=stage.name, error=str(failed) or repr(failed))
    try:
        async with asyncio.timeout(STOP_S if failed is None else FAILED_STOP_S):
            await app.stop()
    except (TimeoutError, asyncio.CancelledError):
        _log.warning("stop_given_up", worker=stage.name)
    start.cancel()
    return 0 if failed is None and loop.failure is None else 1


async def _prepare(stage: Stage, topology: Topology, brokers: str) -> bool:
    """Check the topics, create the changelog; whether the broker is the embedded one."""
    own = changelog(topology, stage)
    names = {topic.name for topic in own}
    found, cluster = await asyncio.gather(
        topics.differences(brokers, topology, own), _cluster(brokers)
    )
    wrong = [each for each in found if each.what != "missing" or each.topic not in names]
    if wrong:
        raise WrongTopicsError("\n".join(str(difference) for difference in wrong))
    if found:
        await topics.create(brokers, topology, own)
    return cluster == EMBEDDED_CLUSTER


async def _cluster(brokers: str) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    try:
        await admin.start()
        return str((await admin.describe_cluster())["cluster_id"])
    finally:
        await admin.close()


def _watchdog(app: App, stage: Stage, brokers: str, health: Health) -> Watchdog:
    def lag() -> int:
        try:
            count = app.reading.lag(app.consumer)
        except ConsumerNotStarted:
            return 0
        metrics.LAG.labels(stage.name).set(count)
        return count

    async def broker_answers() -> bool:
        try:
            await topics.wait_for_broker(brokers, 5.0)
        except KafkaError:
            return False
        return True

    return Watchdog(
        health,
        lag=lag,
        finished=lambda: app.reading.ledger.finished,
        broker_answers=broker_answers,
    )


def _background(stack: AsyncExitStack, task: "asyncio.Future[None]") -> None:
    async def end() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)


async def _first(task: "asyncio.Future[None]", stop: asyncio.Event) -> bool:
    """Wait for `task`; False when `stop` came first."""
    halt = asyncio.ensure_future(stop.wait())
    both: set[asyncio.Future[Any]] = {task, halt}
    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    halt.cancel()
    if not task.done():
        task.cancel()
        return False
    task.result()
    return True
