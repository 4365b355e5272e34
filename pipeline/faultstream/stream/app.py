"""One Faust app per worker, with the settings that Faust needs to be safe and quick.

Each departure from Faust's defaults has its reason beside it; the facts behind them are in
docs/architecture.
"""

from typing import Any, Final

import faust
import mode

from faultstream.core.policy import Topology
from faultstream.ops.health import Health
from faultstream.stream.loop import CHECKPOINT_S, Loop
from faultstream.stream.outbox import Outbox
from faultstream.stream.stage import Positioned, Stage
from faultstream.transport import lean, topics
from faultstream.transport.changelog import QuickTableManager, StateTable
from faultstream.transport.reading import App, Reading, RunSchema

SESSION_S: Final = 10.0
QUICK_SESSION_S: Final = 3.0
"""For the embedded broker, where joining a group waits for half of the session."""
TABLE: Final = "state"
_NEVER_S: Final = 10_000_000.0


class UnequalPartitionsError(ValueError):
    """The input topics of a keyed stage must have equally many partitions."""


def group(topology: Topology, name: str) -> str:
    """The consumer group of a worker: `faultstream.detect` for `faultstream.errors.v1`."""
    return f"{topology.topic('errors').removesuffix('.errors.v1')}.{name}"


def partitions(topology: Topology, stage: Stage) -> int:
    """How many partitions the stage's inputs, and so its state, have.

    Raises:
        UnequalPartitionsError: not all the same.
    """
    counts = {topology.topic(role): topology.topics[role].partitions for role in stage.inputs}
    if stage.keyed and len(set(counts.values())) > 1:
        shown = ", ".join(f"{topic} {count}" for topic, count in counts.items())
        raise UnequalPartitionsError(f"{stage.name} needs equal partitions, not {shown}")
    return max(counts.values())


def changelog(topology: Topology, stage: Stage) -> list[topics.Topic]:
    """The topic that holds the stage's state; none for a stage without."""
    if not stage.keyed:
        return []
    source = topology.topics[stage.inputs[0]]
    return [
        topics.changelog(
            f"{group(topology, stage.name)}-{TABLE}-changelog",
            partitions=partitions(topology, stage),
            replicas=source.replicas,
            max_message_bytes=max(source.max_message_bytes, 4 * 1024 * 1024),
        )
    ]


def build_app(
    stage: Stage,
    topology: Topology,
    brokers: str,
    *,
    outbox: Outbox,
    health: Health,
    session_s: float = SESSION_S,
    checkpoint_s: float = CHECKPOINT_S,
    max_run: int = 5_000,
) -> tuple[App, Loop]:
    """The app of `stage` and its loop. `brokers` is host:port[,host:port]; a run has at most
    `max_run` records. Call within the event loop that will run it.

    Raises:
        UnequalPartitionsError: see `partitions`.
    """
    names = frozenset(topology.topic(role) for role in stage.inputs)
    count = partitions(topology, stage)
    app = App(
        group(topology, stage.name),
        broker=[f"faultstream://{broker}" for broker in brokers.split(",")],
        store="memory://",
        TableManager=QuickTableManager,
        datadir="/nonexistent",  # never written: the store is memory
        topic_partitions=count,
        topic_allow_declare=False,  # topics are created and checked by us
        topic_disable_leader=True,
        web_enabled=False,
        table_standby_replicas=0,  # a memory store replays everything anyway
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,  # else a blocked agent blocks every rebalance and the stop
        stream_buffer_maxsize=1_000_000,  # credit bounds what is read; a full queue blocks all
        stream_processing_timeout=_NEVER_S,  # only an error log; we have a watchdog
        broker_commit_livelock_soft_timeout=_NEVER_S,
        broker_max_poll_interval=_NEVER_S,  # else a paused worker leaves the group for ever
        broker_max_poll_records=max_run,
        broker_commit_interval=1.0,
        broker_session_timeout=session_s,
        broker_heartbeat_interval=max(0.3, session_s / 6),
        broker_rebalance_timeout=max(20.0, session_s),
        broker_request_timeout=max(40.0, session_s + 1),
        producer_request_timeout=30.0,  # Faust's 1200 s would hang a flush
        consumer_max_fetch_size=1_048_576,
    )
    app.reading = Reading(topics=names)
    lean.hand_over(*names)
    table = _table(app, count) if stage.keyed else None
    loop = Loop(app, stage, outbox, topology, health=health, table=table, checkpoint_s=checkpoint_s)
    app.reading.before_revoke = loop.before_revoke
    if isinstance(stage, Positioned):
        app.reading.start_at = stage.start_at
    topic = app.topic(*sorted(names), schema=RunSchema(), maxsize=None)
    topic.maxsize = 1_000_000  # the argument is ignored, and 0 would mean: always full

    async def read(stream: Any) -> None:
        await loop.read(stream)

    app.agent(topic, name=stage.name, supervisor_strategy=mode.CrashingSupervisor)(read)
    app.task(loop.ticks)
    app.task(loop.checkpoints)
    app.on_partitions_assigned.connect(loop.on_assignment, weak=False)
    app.on_partitions_revoked.connect(loop.on_assignment, weak=False)
    app.on_before_shutdown.connect(loop.before_shutdown, weak=False)
    app.finalize()
    app.in_worker = True
    return app, loop


def _table(app: faust.App, count: int) -> StateTable:
    table = StateTable(app, name=TABLE, partitions=count, key_type=bytes, value_type=bytes)
    app.tables.add(table)
    return table
