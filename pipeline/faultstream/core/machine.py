"""The state machine of an incident: MOVES is the whole of it.

Every state and every input has exactly one entry, made from ROWS; what a row leaves out changes
nothing. Only `Turn.move` sets a case's phase, and only by this table. The drawing in
docs/reference/recovery-machine.md is made from it; a test holds it up to date.
"""

from collections.abc import Mapping
from typing import Final, Literal, get_args

import msgspec

from faultstream.core.records import IncidentState

Phase = Literal[
    "open", "recovering", "verifying", "undoing", "withdrawing", "escalated", "resolved", "closed"
]
"""The state of an incident, with two more: `undoing` takes back what did not help and then tries
the next strategy, `withdrawing` takes back what a person cancelled. Told as `recovering`."""

Given = Literal[
    "command", "dry_run", "hold", "ask", "hand_over",
    "alive", "step", "done", "failed", "take_back", "undone", "stuck",
    "cured", "stopped", "stale", "joined", "looping",
    "approve", "trigger", "cancel", "withdraw", "acknowledge", "resolve",
]  # fmt: skip

Output = Literal[
    "decide", "issue", "undo", "watch", "tell", "alarm", "finish", "abandon", "archive", "note"
]
"""decide: choose what is next. issue: send commands. undo: send what takes back. watch: verify.
tell: a person is needed. alarm: the same, as grave as can be. finish: people hear that it is over.
abandon: what is under way counts no more. archive: it is over. note: say so, no more."""


class Move(msgspec.Struct, frozen=True):
    """Where an input leads, and what is done there, in this order."""

    to: Phase
    does: tuple[Output, ...] = ()


MEANING: Final[dict[Given, str]] = {
    "command": "a strategy is chosen and every guard lets it pass",
    "dry_run": "the same, but only to say so",
    "hold": "a guard refuses for now",
    "ask": "only what needs approval is left",
    "hand_over": "no strategy is left, attempts are used up, or the layer is unknown",
    "alive": "an executor says that it goes on",
    "step": "a step is done or may begin now, others follow",
    "done": "executors succeeded, all steps are done",
    "failed": "failed, partial, refused, no answer in time, or the errors go on",
    "take_back": "a step failed after others were done, or it was made worse",
    "undone": "everything was taken back",
    "stuck": "something could not be taken back",
    "cured": "the stream saw the errors fall",
    "stopped": "the errors stopped",
    "stale": "no news for 15 minutes",
    "joined": "it follows from another incident",
    "looping": "it came back too often after recovery",
    "approve": "a person approves",
    "trigger": "a person asks for recovery",
    "cancel": "a person cancels",
    "withdraw": "a person cancels and has it taken back",
    "acknowledge": "a person takes care of it",
    "resolve": "a person says that it is over",
}

ROWS: Final[dict[Given, dict[Phase, Move]]] = {
    "command": {
        "open": Move("recovering", ("issue",)),
        "escalated": Move("recovering", ("issue",)),
    },
    "dry_run": {"open": Move("open", ("issue",)), "escalated": Move("escalated", ("issue",))},
    "hold": {"open": Move("open", ("note",)), "escalated": Move("open", ("note",))},
    "ask": {"open": Move("escalated", ("tell",)), "escalated": Move("escalated", ("tell",))},
    "hand_over": {"open": Move("escalated", ("tell",)), "escalated": Move("escalated", ("tell",))},
    "alive": {
        "recovering": Move("recovering", ("note",)),
        "undoing": Move("undoing", ("note",)),
        "withdrawing": Move("withdrawing", ("note",)),
    },
    "step": {
        "recovering": Move("recovering", ("issue",)),
        "undoing": Move("undoing", ("undo",)),
        "withdrawing": Move("withdrawing", ("undo",)),
    },
    "done": {"recovering": Move("verifying", ("watch",))},
    "failed": {
        "recovering": Move("open", ("decide",)),
        "verifying": Move("open", ("decide",)),
    },
    "take_back": {
        "recovering": Move("undoing", ("undo",)),
        "verifying": Move("undoing", ("undo",)),
    },
    "undone": {
        "undoing": Move("open", ("decide",)),
        "withdrawing": Move("escalated", ("note",)),
    },
    "stuck": {
        "undoing": Move("escalated", ("tell",)),
        "withdrawing": Move("escalated", ("tell",)),
    },
    "cured": {"verifying": Move("resolved", ("finish", "archive"))},
    "stopped": {
        "open": Move("resolved", ("finish", "archive")),
        "recovering": Move("resolved", ("finish", "archive")),
        "verifying": Move("resolved", ("finish", "archive")),
        "escalated": Move("resolved", ("finish", "archive")),
    },
    "stale": {
        "open": Move("closed", ("archive",)),
        "recovering": Move("closed", ("archive",)),
        "verifying": Move("closed", ("archive",)),
        "undoing": Move("closed", ("archive",)),
        "withdrawing": Move("closed", ("archive",)),
        "escalated": Move("closed", ("archive",)),
    },
    "joined": {
        "open": Move("closed", ("archive",)),
        "escalated": Move("closed", ("archive",)),
    },
    "looping": {"open": Move("escalated", ("alarm",))},
    "approve": {"escalated": Move("escalated", ("decide",))},
    "trigger": {
        "open": Move("open", ("decide",)),
        "escalated": Move("escalated", ("decide",)),
        "recovering": Move("recovering", ("note",)),
        "verifying": Move("verifying", ("note",)),
        "undoing": Move("undoing", ("note",)),
        "withdrawing": Move("withdrawing", ("note",)),
    },
    "cancel": {
        "open": Move("escalated", ("abandon",)),
        "recovering": Move("escalated", ("abandon",)),
        "verifying": Move("escalated", ("abandon",)),
        "undoing": Move("escalated", ("abandon",)),
        "withdrawing": Move("escalated", ("abandon",)),
        "escalated": Move("escalated", ("abandon",)),
    },
    "withdraw": {
        "recovering": Move("withdrawing", ("abandon", "undo")),
        "verifying": Move("withdrawing", ("abandon", "undo")),
        "undoing": Move("withdrawing", ("note",)),
    },
    "acknowledge": {
        "open": Move("open", ("note",)),
        "recovering": Move("recovering", ("note",)),
        "verifying": Move("verifying", ("note",)),
        "undoing": Move("undoing", ("note",)),
        "withdrawing": Move("withdrawing", ("note",)),
        "escalated": Move("escalated", ("note",)),
    },
    "resolve": {
        "open": Move("closed", ("abandon", "archive")),
        "recovering": Move("closed", ("abandon", "archive")),
        "verifying": Move("closed", ("abandon", "archive")),
        "undoing": Move("closed", ("abandon", "archive")),
        "withdrawing": Move("closed", ("abandon", "archive")),
        "escalated": Move("closed", ("abandon", "archive")),
    },
}

PHASES: Final[tuple[Phase, ...]] = get_args(Phase)
INPUTS: Final[tuple[Given, ...]] = get_args(Given)
OVER: Final[frozenset[str]] = frozenset({"resolved", "closed"})
FLYING: Final[frozenset[str]] = frozenset({"recovering", "undoing", "withdrawing"})
"""Commands are under way."""

MOVES: Final[Mapping[tuple[Phase, Given], Move]] = {
    (phase, given): ROWS[given].get(phase, Move(phase)) for given in INPUTS for phase in PHASES
}


def told(phase: Phase) -> IncidentState:
    """The state of the incident's record in a phase."""
    return "recovering" if phase == "undoing" or phase == "withdrawing" else phase  # noqa: PLR1714 - narrows


def drawing() -> str:
    """The table as a Mermaid diagram and as a Markdown table."""
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> open: an incident opens"]
    arrows: dict[tuple[str, str], list[str]] = {}
    for given, row in ROWS.items():
        for phase, move in row.items():
            if move.to != phase:
                arrows.setdefault((phase, move.to), []).append(given)
    lines += [f"    {at} --> {to}: {', '.join(names)}" for (at, to), names in arrows.items()]
    lines += ["    resolved --> [*]", "    closed --> [*]", "```", ""]
    lines += ["| input | when | " + " | ".join(p for p in PHASES if p not in OVER) + " |"]
    lines += ["|---" * (len(PHASES) - len(OVER) + 2) + "|"]
    for given in INPUTS:
        cells = [_cell(MOVES[phase, given], phase, given) for phase in PHASES if phase not in OVER]
        lines.append(f"| {given} | {MEANING[given]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(move: Move, phase: Phase, given: Given) -> str:
    if phase not in ROWS[given]:
        return ""
    does = ", ".join(move.does)
    if move.to == phase:
        return does or "stays"
    return f"**{move.to}**" + (f": {does}" if does else "")
