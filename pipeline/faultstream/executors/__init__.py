"""Executors beside a service: commands of recovery as HTTP requests or local programs."""

from faultstream.executors.kinds import KINDS, Action, make
from faultstream.executors.policy import CommandPolicy, ExecutorPolicy, HandlerPolicy, WebhookPolicy

__all__ = [
    "KINDS",
    "Action",
    "CommandPolicy",
    "ExecutorPolicy",
    "HandlerPolicy",
    "WebhookPolicy",
    "make",
]
