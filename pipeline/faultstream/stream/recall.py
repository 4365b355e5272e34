"""Recall: reads back the commands that were sent of late, when partitions are taken over.

A command is sent before the state that knows it is saved, so that it need not wait. What a crash
undoes is decided on again; the commands topic says how it was decided. Only what bears a signature
by a known key is believed. Costs nothing while running.
"""

from collections.abc import Mapping
from typing import Final

from faultstream import wire
from faultstream.core import signing
from faultstream.core.errors import DataError
from faultstream.core.policy import Topology
from faultstream.core.records import RecoveryCommand
from faultstream.ops import log
from faultstream.transport.scan import newest_first

BEFORE_MS: Final = 5_000
"""The broker's clock may be behind ours by so much."""

_log = log.get(__name__)


class Recall:
    """See the module."""

    def __init__(self, brokers: str, topology: Topology, keys: Mapping[str, bytes]) -> None:
        self._brokers = brokers
        self._topic = topology.topic("commands")
        self._partitions = range(topology.topics["commands"].partitions)
        self._keys = keys

    async def since(self, since_ms: int) -> list[RecoveryCommand]:
        """Commands that were sent at `since_ms` or later, in the order of their partitions.

        Raises:
            KafkaError: the broker cannot be reached.
            TimeoutError: it stopped answering.
        """
        found: list[RecoveryCommand] = []
        first_ms = since_ms - BEFORE_MS
        stretches = newest_first(self._brokers, self._topic, self._partitions, holds=b"")
        async for records in stretches:
            oldest: dict[int, int] = {}
            for record in records:
                oldest.setdefault(record.partition, record.timestamp)
                if record.timestamp < first_ms:
                    continue
                try:
                    command = wire.decode(RecoveryCommand, record.value)
                except DataError:
                    continue
                if not signing.signed(record.value or b"", record.headers, self._keys):
                    _log.warning("command_not_recalled", command_id=command.command_id)
                elif command.issued_at_ms >= since_ms:
                    found.append(command)
            if all(oldest.get(number, 0) < first_ms for number in self._partitions):
                break
        await stretches.aclose()
        return found
