"""What an executor is, what it counts, and why it may not start."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from faultstream.client.seal import Seal


class JournalInUseError(RuntimeError):
    """Another process works with this journal; each executor needs its own."""


class Counts:
    """Counters of one process."""

    def __init__(self) -> None:
        self.carried_out = 0
        self.running = 0
        self.refused: dict[str, int] = {}

    def refuse(self, reason: str) -> None:
        """A command that was not carried out."""
        self.refused[reason] = self.refused.get(reason, 0) + 1


class Place(NamedTuple):
    """Where an executor reads and writes."""

    brokers: str
    results_topic: str
    client_id: str
    name: str
    kafka: Mapping[str, Any]
    seal: "Seal"


class Setting(NamedTuple):
    """What an executor is; the same for each of its runs."""

    service: str
    environment: str
    instance: str
    name: str
    commands_topic: str
    results_topic: str
    concurrency: int
    handler_timeout_s: float
    max_ttl_ms: int
    clock_ms: Callable[[], int]
    seal: "Seal"
