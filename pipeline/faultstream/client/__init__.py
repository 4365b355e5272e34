"""The client: report errors and take part in recovery. Needs nothing of the pipeline."""

from faultstream.client import backoff
from faultstream.client.about import describe
from faultstream.client.breaker import BreakerState, CallNotPermittedError, CircuitBreaker
from faultstream.client.bulkhead import Bulkhead, BulkheadFullError
from faultstream.client.compose import Operation, operations, resilient
from faultstream.client.configfile import OperationsFileError, operations_from_file
from faultstream.client.context import context
from faultstream.client.degradation import Degradation
from faultstream.client.event import Details
from faultstream.client.executor import Executor, ExecutorStats
from faultstream.client.fallback import Fallback
from faultstream.client.fault import FaultError, Recovery
from faultstream.client.handler import Outcome
from faultstream.client.inforce import InForce, in_force
from faultstream.client.pool import PoolTimeoutError, ResourcePool
from faultstream.client.progress import progress
from faultstream.client.recovery import with_recovery
from faultstream.client.reporter import Reporter, Stats
from faultstream.client.retry import Retry
from faultstream.client.rollback import RollbackStack
from faultstream.client.setting import JournalInUseError
from faultstream.client.steer import steer
from faultstream.client.throttle import RateLimiter, RequestNotPermittedError
from faultstream.client.timeout import AdaptiveTimeout, CallTimeoutError, Timeout
from faultstream.core.records import RecoveryCommand

__all__ = [
    "AdaptiveTimeout",
    "BreakerState",
    "Bulkhead",
    "BulkheadFullError",
    "CallNotPermittedError",
    "CallTimeoutError",
    "CircuitBreaker",
    "Degradation",
    "Details",
    "Executor",
    "ExecutorStats",
    "Fallback",
    "FaultError",
    "InForce",
    "JournalInUseError",
    "Operation",
    "OperationsFileError",
    "Outcome",
    "PoolTimeoutError",
    "RateLimiter",
    "Recovery",
    "RecoveryCommand",
    "Reporter",
    "RequestNotPermittedError",
    "ResourcePool",
    "Retry",
    "RollbackStack",
    "Stats",
    "Timeout",
    "backoff",
    "context",
    "describe",
    "in_force",
    "operations",
    "operations_from_file",
    "progress",
    "resilient",
    "steer",
    "with_recovery",
]
