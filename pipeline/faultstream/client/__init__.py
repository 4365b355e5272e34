"""The client: report errors and take part in recovery. Needs nothing of the pipeline."""

from faultstream.client.event import Details
from faultstream.client.executor import Executor, ExecutorStats
from faultstream.client.handler import Outcome
from faultstream.client.journal import JournalInUseError
from faultstream.client.reporter import Reporter, Stats
from faultstream.core.records import RecoveryCommand

__all__ = [
    "Details",
    "Executor",
    "ExecutorStats",
    "JournalInUseError",
    "Outcome",
    "RecoveryCommand",
    "Reporter",
    "Stats",
]
