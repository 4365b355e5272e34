"""What goes into which table: one file per table, one line per table here.

A table takes the records of one topic. Its builder holds the columns of what was added since it
was last emptied; memory is bounded by whoever adds.
"""

from collections.abc import Callable
from typing import Final

from faultstream.analytics.columns import (
    commands,
    dead_letters,
    errors,
    incidents,
    notification_decisions,
    notifications,
    patterns,
    results,
)
from faultstream.analytics.columns.base import Builder
from faultstream.core.policy import TopicRole, Topology

BUILDERS: Final[dict[TopicRole, Callable[[Topology], Builder]]] = {
    "errors": errors.Errors,
    "patterns": patterns.builder,
    "incidents": incidents.builder,
    "commands": commands.builder,
    "results": results.builder,
    "notifications": notifications.builder,
    "notification_decisions": notification_decisions.builder,
    "dead_letters": dead_letters.builder,
}
