"""Advice: what usually prevents errors of a category. General knowledge, and said to be so."""

from collections.abc import Mapping
from typing import Final

PREVENTION: Final[Mapping[str, tuple[str, ...]]] = {
    "network": (
        "Retry with backoff and jitter, within a budget, and break the circuit in time.",
        "Resolve names and keep connections through one pool; watch for half-open connections.",
    ),
    "timeout": (
        "Give every call a deadline that is shorter than the one of its caller.",
        "Measure the slow side's 99th percentile before timeouts are made longer.",
    ),
    "database": (
        "Bound the pools of all instances together below what the server allows.",
        "Find slow statements and lock waits; keep transactions short; index what they search by.",
    ),
    "resource": (
        "Set limits and alerts at 80 % of memory, disk, descriptors and threads.",
        "Bound every queue and cache; shed load before memory ends.",
    ),
    "dependency": (
        "Break the circuit per dependency and answer from a fallback.",
        "Agree on limits and retries with its owners; test its absence by fault injection.",
    ),
    "rate_limit": (
        "Throttle on the caller's side below the limit, and honour Retry-After.",
        "Batch or cache what is asked for again and again.",
    ),
    "configuration": (
        "Validate configuration at start, and refuse to start with a wrong one.",
        "Roll changes out to one instance first.",
    ),
    "serialization": (
        "Check schemas for compatibility before a release, on both sides.",
        "Accept unknown fields; refuse bad records to a dead-letter topic.",
    ),
    "validation": (
        "Refuse bad input at the edge with an answer that names the field.",
        "Count refusals by client, so that a broken client is seen.",
    ),
    "security": (
        "Renew credentials and certificates before they end, and alert on the date.",
        "Never retry a refused login in a loop.",
    ),
    "business": ("Make the rule's refusal an answer, not an error, where users can mend it.",),
    "code": (
        "Write the failing test from the message and the stack, then mend.",
        "Roll the release back when the error came with it.",
    ),
    "system": (
        "Watch the host: memory, disk, file descriptors, clock.",
        "Let the supervisor restart the process with backoff, and keep one spare instance.",
    ),
}
