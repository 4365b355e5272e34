"""The log's identity: a random id that stands in the control topic from the topics' creation on.

Offsets mean something only within one log. A recreated topic or a restarted in-memory broker
begins at 0 again, and without the id old offsets would hide new records (docs/adr/0005).
"""

import asyncio
import uuid
from typing import Final

from aiokafka import AIOKafkaProducer

from faultstream import wire
from faultstream.core.policy import Topology
from faultstream.transport.scan import scan

LOG_ID_KEY: Final = b"faultstream.log-id"
"""Key in the control topic. Its value is `{"log_id": "<UUID>"}` and no Control record."""


class LogIdAbsentError(LookupError):
    """The log has no identity: its topics were not made by `create`."""


async def find_log_id(brokers: str, control_topic: str) -> str | None:
    """The id in the control topic, None when there is none. The last one written is in force."""
    found = None
    async for record in scan(brokers, control_topic, {0: 0}):
        if record.key == LOG_ID_KEY and record.value:
            found = str(wire.loads(record.value)["log_id"])
    return found


async def log_id(brokers: str, topology: Topology) -> str:
    """The identity of the log on `brokers`.

    Raises:
        LogIdAbsentError: there is none; the message has the mend.
        KafkaConnectionError: no broker answers.
    """
    topic = topology.topic("control")
    found = await find_log_id(brokers, topic)
    if found is None:
        raise LogIdAbsentError(
            f"{topic} on {brokers} holds no log id: run `faultstream topology create` first"
        )
    return found


async def ensure_log_id(brokers: str, topology: Topology) -> str:
    """The identity of the log, written now when absent. May repeat; safe beside another one."""
    topic = topology.topic("control")
    found = await find_log_id(brokers, topic)
    while found is None:
        async with AIOKafkaProducer(bootstrap_servers=brokers, acks="all") as producer:
            value = wire.dumps({"log_id": str(uuid.uuid4())})
            await producer.send_and_wait(topic, value, key=LOG_ID_KEY, partition=0)
        await asyncio.sleep(0)
        found = await find_log_id(brokers, topic)
    return found
