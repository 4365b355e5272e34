"""Clients of Kafka that never make a topic by asking for it.

On a broker that creates what it is asked about, an application that starts before the pipeline
would make the topics with the broker's own settings, and the pipeline would refuse them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiokafka.client import AIOKafkaClient
    from aiokafka.conn import AIOKafkaConnection


def never_create(client: "AIOKafkaClient") -> None:
    """Make `client`, which has not connected yet, ask for topics without creating them.

    aiokafka 0.14 has no setting for it: each of its connections is told.
    """
    connect = client._get_conn  # noqa: SLF001

    async def connection(*args: Any, **kwargs: Any) -> "AIOKafkaConnection | None":
        found = await connect(*args, **kwargs)
        if found is not None and "send" not in vars(found):
            _tell(found)
        return found

    client._get_conn = connection  # noqa: SLF001


async def there(client: "AIOKafkaClient", topic: str) -> bool:
    """Whether `topic` exists. While it is not known that it does, all topics are listed, because
    aiokafka logs an error for each that it asks for and does not find."""
    if client.cluster.partitions_for_topic(topic) is not None:
        return True
    return topic in (await client.fetch_all_metadata()).topics()


def _tell(connection: "AIOKafkaConnection") -> None:
    from aiokafka.protocol.metadata import MetadataRequest  # noqa: PLC0415

    send = connection.send

    def quiet(request: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(request, MetadataRequest):
            request._allow_auto_topic_creation = False  # noqa: SLF001
        return send(request, *args, **kwargs)

    connection.send = quiet
