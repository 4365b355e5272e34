"""The parameters of the built-in strategies, with their bounds. Lengths are milliseconds."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Length = Annotated[int, Meta(ge=1, le=86_400_000)]
Wait = Annotated[int, Meta(ge=0, le=86_400_000)]
Size = Annotated[int, Meta(ge=1, le=1_000_000)]
Word = Annotated[str, Meta(min_length=1, max_length=500)]
Target = Annotated[str, Meta(min_length=1, max_length=200)]
Hold = Annotated[int, Meta(ge=1, le=3_600_000)]
Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
QueueLevel = Literal["low", "normal", "high", "critical"]


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Frozen, and strict about what it does not know."""


class Steered(Parameters, frozen=True, kw_only=True):
    """Parameters of what clients do with primitives (retry, breaker ...). What is given limits the
    command to some of them; all of the service when neither is."""

    operation: Target | UnsetType = UNSET
    """Only primitives of this name."""
    dependency: Target | UnsetType = UNSET
    """Only primitives around this dependency."""


class Retry(Steered, frozen=True, kw_only=True):
    """Callers repeat a failed call, `max_attempts` in all; only for errors that pass."""

    max_attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    delay_ms: Wait = 1_000
    backoff: Literal["exponential", "linear", "fixed", "fibonacci"] = "exponential"
    ttl_ms: Length = 300_000


class TimeoutIncrease(Steered, frozen=True, kw_only=True):
    """Calls may take `to_ms` instead of `from_ms`."""

    from_ms: Length = 5_000
    to_ms: Length = 15_000
    ttl_ms: Length = 300_000

    def problem(self) -> str | None:
        """What single bounds cannot say."""
        if self.to_ms <= self.from_ms:
            return f"to_ms must be more than from_ms ({self.from_ms}), not {self.to_ms}"
        return None


class CacheClear(Parameters, frozen=True, kw_only=True):
    """Forgets cached entries whose key matches `pattern` (`*` stands for anything)."""

    pattern: Word = "*"


class PoolIncrease(Steered, frozen=True, kw_only=True):
    """A pool may hold `to_size` resources instead of `from_size`."""

    from_size: Size = 10
    to_size: Size = 25
    ttl_ms: Length = 600_000

    def problem(self) -> str | None:
        """What single bounds cannot say."""
        if self.to_size <= self.from_size:
            return f"to_size must be more than from_size ({self.from_size}), not {self.to_size}"
        return None


class ResourceScale(Parameters, frozen=True, kw_only=True):
    """Multiplies instances or their resources by `factor`."""

    factor: Annotated[float, Meta(gt=1.0, le=10.0)] = 1.5
    max_instances: Size | None = None


class CircuitBreak(Steered, frozen=True, kw_only=True):
    """Opens the breaker for `open_ms`, then lets `probes` calls through."""

    failure_threshold: Annotated[int, Meta(ge=1, le=10_000)] = 5
    open_ms: Length = 60_000
    probes: Annotated[int, Meta(ge=1, le=1_000)] = 1
    hold_ms: Hold | UnsetType = UNSET
    """How long the threshold holds; until the command expires when left out."""


class Fallback(Steered, frozen=True, kw_only=True):
    """Answers without the failing dependency. `level`: 0 full service .. 3 the bare minimum."""

    mode: Literal["cached", "alternative", "reduced", "default", "queue"] = "cached"
    ttl_ms: Length = 60_000
    endpoint: Word | None = None
    level: Annotated[int, Meta(ge=0, le=3)] | None = None
    hold_ms: Hold | UnsetType = UNSET
    """How long it lasts; until the command expires when left out. `ttl_ms` is how old an answer
    of a cache may be."""

    def problem(self) -> str | None:
        """What single bounds cannot say."""
        if self.mode == "alternative" and self.endpoint is None:
            return "mode alternative needs an endpoint"
        if self.mode == "reduced" and self.level is None:
            return "mode reduced needs a level (0 to 3)"
        return None


class QueuePriority(Parameters, frozen=True, kw_only=True):
    """Handles queued work of `from_priority` as if it were of `to_priority`."""

    from_priority: QueueLevel = "normal"
    to_priority: QueueLevel = "high"
    ttl_ms: Length = 300_000


class RequestThrottle(Steered, frozen=True, kw_only=True):
    """Lets `per_minute` requests a minute through, `burst` at once."""

    per_minute: Size = 100
    burst: Size = 10
    ttl_ms: Length = 300_000


class ServiceRestart(Parameters, frozen=True, kw_only=True):
    """Restarts an instance, which has `graceful_ms` to finish its work."""

    graceful_ms: Wait = 30_000
    health_check: bool = True


class Reconnect(Parameters, frozen=True, kw_only=True):
    """Drops connections to `dependency` (all when empty) and opens new ones."""

    dependency: Annotated[str, Meta(max_length=500)] = ""
    jitter_ms: Wait = 1_000


class Failover(Parameters, frozen=True, kw_only=True):
    """Uses `to` in the place of what fails, for `ttl_ms`."""

    to: Annotated[str, Meta(max_length=500)] = ""
    ttl_ms: Length = 600_000


class ResetState(Parameters, frozen=True, kw_only=True):
    """Forgets the in-memory state called `scope`."""

    scope: Word = "all"


class FallbackAlgorithm(Parameters, frozen=True, kw_only=True):
    """Computes with the simpler algorithm `name`, for `ttl_ms`."""

    name: Word = "simple"
    ttl_ms: Length = 300_000


class FallbackResponse(Parameters, frozen=True, kw_only=True):
    """Answers with a fixed status, for `ttl_ms`."""

    status: Annotated[int, Meta(ge=200, le=599)] = 503
    ttl_ms: Length = 60_000


class FallbackService(Parameters, frozen=True, kw_only=True):
    """Asks the service `service` instead, for `ttl_ms`."""

    service: Annotated[str, Meta(max_length=500)] = ""
    ttl_ms: Length = 300_000


class Rollback(Parameters, frozen=True, kw_only=True):
    """Goes back to `to_release`; the previous one when empty."""

    to_release: Annotated[str, Meta(max_length=500)] = ""


class Inject(Parameters, frozen=True, kw_only=True):
    """Makes calls of `target` fail on purpose, for an experiment. Never chosen by a route."""

    target: Target
    error: Target | UnsetType = UNSET
    """A name that the executor knows, like ConnectionError."""
    probability: Ratio = 1.0
    latency_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    lose_ratio: Ratio = 0.0
    duration_s: Annotated[float, Meta(gt=0.0, le=3_600.0)] = 60.0

    def problem(self) -> str | None:
        """What single bounds cannot say."""
        if self.error is UNSET and not self.latency_ms and not self.lose_ratio:
            return "nothing to inject: give error, latency_ms or lose_ratio"
        return None
