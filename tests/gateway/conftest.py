"""The topics that sending needs, of the test's own, on the embedded broker."""

import msgspec
import pytest

from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.transport import topics
from tests.conftest import prefixed
from tests.gateway.kit import PARTITIONS


@pytest.fixture
async def topology(embedded_broker: str, prefix: str) -> Topology:
    return await made(embedded_broker, prefix)


async def made(brokers: str, prefix: str) -> Topology:
    """A topology whose topics for errors and controls are there."""
    found = prefixed(load(None), prefix)
    found.topics["errors"] = msgspec.structs.replace(found.topics["errors"], partitions=PARTITIONS)
    needed = {role: found.topics[role] for role in ("errors", "control")}
    await topics.create(brokers, msgspec.structs.replace(found, topics=needed))
    return found
