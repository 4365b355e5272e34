"""The client: report errors and take part in recovery. Needs nothing of the pipeline.

Each name is imported when it is first used, so that an application pays for what it uses.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from faultstream.client.progress import progress  # its module has the same name

if TYPE_CHECKING:
    from faultstream.client import backoff
    from faultstream.client.about import describe
    from faultstream.client.breaker import BreakerState, CallNotPermittedError, CircuitBreaker
    from faultstream.client.bulkhead import Bulkhead, BulkheadFullError
    from faultstream.client.compose import Operation, operations, resilient
    from faultstream.client.configfile import OperationsFileError, operations_from_file
    from faultstream.client.contexts import context
    from faultstream.client.degradation import Degradation
    from faultstream.client.delivery import Stats
    from faultstream.client.event import Details
    from faultstream.client.executor import Executor, ExecutorStats
    from faultstream.client.fallback import Fallback
    from faultstream.client.fault import FaultError, Recovery
    from faultstream.client.handler import Outcome
    from faultstream.client.inforce import InForce, in_force
    from faultstream.client.pool import PoolTimeoutError, ResourcePool
    from faultstream.client.recovery import with_recovery
    from faultstream.client.reporter import Reporter
    from faultstream.client.retry import Retry
    from faultstream.client.rollback import RollbackStack
    from faultstream.client.setting import JournalInUseError
    from faultstream.client.steering import steer
    from faultstream.client.throttle import RateLimiter, RequestNotPermittedError
    from faultstream.client.timeout import AdaptiveTimeout, CallTimeoutError, Timeout
    from faultstream.core.records import RecoveryCommand

_HOMES: Final = {
    "client.about": ("describe",),
    "client.breaker": ("BreakerState", "CallNotPermittedError", "CircuitBreaker"),
    "client.bulkhead": ("Bulkhead", "BulkheadFullError"),
    "client.compose": ("Operation", "operations", "resilient"),
    "client.configfile": ("OperationsFileError", "operations_from_file"),
    "client.contexts": ("context",),
    "client.degradation": ("Degradation",),
    "client.delivery": ("Stats",),
    "client.event": ("Details",),
    "client.executor": ("Executor", "ExecutorStats"),
    "client.fallback": ("Fallback",),
    "client.fault": ("FaultError", "Recovery"),
    "client.handler": ("Outcome",),
    "client.inforce": ("InForce", "in_force"),
    "client.pool": ("PoolTimeoutError", "ResourcePool"),
    "client.recovery": ("with_recovery",),
    "client.reporter": ("Reporter",),
    "client.retry": ("Retry",),
    "client.rollback": ("RollbackStack",),
    "client.setting": ("JournalInUseError",),
    "client.steering": ("steer",),
    "client.throttle": ("RateLimiter", "RequestNotPermittedError"),
    "client.timeout": ("AdaptiveTimeout", "CallTimeoutError", "Timeout"),
    "core.records": ("RecoveryCommand",),
}
"""Public names by module, below faultstream."""

_MODULES: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name, imported now."""
    if name == "backoff":
        return importlib.import_module("faultstream.client.backoff")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"faultstream.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


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
