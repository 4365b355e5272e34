"""Orchestrate: what is done for each output of the state machine (see machine.py for the table).

Every command uses up a strategy of a finite route or was asked for by a person, every wait has a
deadline, so each incident ends or waits for a person.
"""

from collections.abc import Callable, Mapping
from typing import Final

from faultstream.core import ending, proceed, running, watching
from faultstream.core.incident import Case
from faultstream.core.machine import Output
from faultstream.core.turn import Turn

DOES: Final[Mapping[Output, Callable[[Turn, Case], None]]] = {
    "decide": proceed.proceed,
    "issue": running.issue,
    "undo": running.undo,
    "watch": watching.begin,
    "tell": ending.tell,
    "alarm": ending.alarm,
    "finish": ending.finish,
    "abandon": ending.abandon,
    "archive": ending.archive,
    "note": ending.note,
}
