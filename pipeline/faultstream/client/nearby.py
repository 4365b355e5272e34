"""Whether a consumer reads from the embedded broker, which wants to be asked more often."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

CLUSTER: Final = "tansu_cluster"
QUICK_FETCH_MS: Final = 20
"""The embedded broker looks for new records only twice in the time that a fetch may wait."""


async def read_quickly(consumer: "AIOKafkaConsumer[bytes, bytes]") -> None:
    """Have a consumer that is started ask the embedded broker often. Apache Kafka answers a fetch
    as soon as there is something, so nothing is changed there, and nothing where aiokafka has
    changed."""
    from aiokafka.errors import KafkaError  # noqa: PLC0415 - import time
    from aiokafka.protocol.metadata import MetadataRequest  # noqa: PLC0415

    client, fetcher = consumer._client, consumer._fetcher  # noqa: SLF001 - no other way
    try:
        metadata = await client.send(client.get_random_node(), MetadataRequest([]))
    except (KafkaError, OSError, TypeError, AttributeError, AssertionError):
        return
    if getattr(metadata, "cluster_id", None) == CLUSTER and fetcher is not None:
        fetcher._fetch_max_wait_ms = QUICK_FETCH_MS  # noqa: SLF001
