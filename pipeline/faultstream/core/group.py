"""Verdict and Group: what classification and grouping say of an event.

A Group is computed once per (type, message shape, frames, hints) and then shared by every
event like it, so that the hot path only looks one up.
"""

from typing import Final, Literal, get_args

import msgspec

from faultstream.core.severity import Severity

Domain = Literal["technical", "business", "security"]

Category = Literal[
    "network",
    "timeout",
    "database",
    "resource",
    "dependency",
    "rate_limit",
    "configuration",
    "serialization",
    "validation",
    "security",
    "business",
    "code",
    "system",
]

CATEGORIES: Final[tuple[str, ...]] = get_args(Category)

CATEGORY_ALIASES: Final[dict[str, Category]] = {
    "auth": "security",
    "auth_security": "security",
    "authentication": "security",
    "authorization": "security",
    "bug": "code",
    "code_bug": "code",
    "config": "configuration",
    "connection": "network",
    "db": "database",
    "external": "dependency",
    "memory": "resource",
    "parse": "serialization",
    "rate_limited": "rate_limit",
    "throttling": "rate_limit",
}

FINGERPRINT_VERSION: Final = "fs1"


class Verdict(msgspec.Struct, frozen=True):
    """What an error is. `rule` names what decided: a rule's id, or `learned` or `default`.

    `confidence` is in 0..1: the probability that the category is right.
    """

    domain: Domain
    category: Category
    severity: Severity
    transient: bool
    confidence: float
    rule: str
    http_status: int


class Group(msgspec.Struct, frozen=True):
    """Events that are one problem.

    `fingerprint` covers in-app frames (or the message without any), `system_fingerprint` all
    frames; both are 32 hexadecimal digits. `template` is the message with its variable parts
    replaced by `<name>`, for people. `left`: it says only that the caller did not wait; `named`:
    words of the message that may name the services that failed it, digits made 0 (parties.py).
    """

    fingerprint: str
    system_fingerprint: str
    template: str
    error_type: str
    verdict: Verdict
    version: str = FINGERPRINT_VERSION
    left: bool = False
    named: tuple[str, ...] = ()
