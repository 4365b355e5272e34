"""What the topics say has happened, in the order in which it was read, and how far it has come.

Only records change the story. Reading a record twice, or an older revision after a newer one,
changes nothing. An incident counts as closed when it is resolved and its patterns are over.
"""

from typing import Final, Literal

import msgspec

from faultstream.core.records import (
    Attempt,
    Incident,
    Notification,
    Pattern,
    RecoveryCommand,
    RecoveryResult,
)

Told = Pattern | Incident | RecoveryCommand | RecoveryResult | Notification
Tone = Literal["bad", "act", "good", "plain"]

_RESOLVED: Final = frozenset({"resolved", "closed"})
_OVER: Final = frozenset({"cured", "recurring", "failed", "partial", "expired", "refused"})


class Line(msgspec.Struct, frozen=True):
    """One line of the log: when (ms since the epoch, by the record), what kind, what."""

    at_ms: int
    kind: str
    text: str
    tone: Tone = "plain"


class Story:
    """Grows with the number of incidents, commands and results, not with errors."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.patterns: dict[str, Pattern] = {}
        self.incidents: dict[str, Incident] = {}
        self.commands: dict[str, RecoveryCommand] = {}
        self.results: dict[str, RecoveryResult] = {}
        self._notified: set[str] = set()

    def tell(self, record: Told, seen_ms: int = 0) -> None:
        """Take in one record, read at `seen_ms`, which dates what has no time of its own."""
        match record:
            case Pattern():
                self._pattern(record, seen_ms)
            case Incident():
                self._incident(record)
            case RecoveryCommand():
                self._command(record)
            case RecoveryResult():
                self._result(record)
            case Notification():
                if record.notification_id not in self._notified:
                    self._notified.add(record.notification_id)
                    self._say(record.created_at_ms, "notify", f"{record.level}: {record.title}")

    def _say(self, at_ms: int, kind: str, text: str, tone: Tone = "plain") -> None:
        self.lines.append(Line(at_ms, kind, text, tone))

    def _pattern(self, pattern: Pattern, seen_ms: int) -> None:
        known = self.patterns.get(pattern.pattern_id)
        if known is not None and known.revision >= pattern.revision:
            return
        self.patterns[pattern.pattern_id] = pattern
        what = f"{pattern.kind} in {pattern.service}"
        if known is None:
            name = pattern.error_type.rpartition(".")[2]
            detail = f"{name}, {pattern.severity}, confidence {pattern.confidence:.2f}"
            self._say(pattern.detected_at_ms, "pattern", f"{what}: {detail}", "bad")
        elif pattern.state == "closed" and known.state != "closed":
            at_ms = seen_ms or pattern.closed_at_ms or pattern.last_at_ms
            self._say(at_ms, "pattern", f"{what} is over after {pattern.count} errors")

    def _incident(self, incident: Incident) -> None:
        known = self.incidents.get(incident.incident_id)
        if known is not None and known.revision >= incident.revision:
            return
        self.incidents[incident.incident_id] = incident
        before = {} if known is None else {one.command_id: one.outcome for one in known.attempts}
        for attempt in incident.attempts:
            if attempt.outcome in _OVER and before.get(attempt.command_id) != attempt.outcome:
                self._outcome(incident, attempt)
        # What commands, results and verifications say already is not said again.
        told = incident.state in {"recovering", "verifying"}
        if not told and (known is None or known.state != incident.state):
            why = f": {incident.reason}" if incident.reason else ""
            tone: Tone = "plain"
            if incident.state in _RESOLVED:
                tone = "good"
            elif incident.state in {"open", "escalated"}:
                tone = "bad"
            text = f"{incident.root} is {incident.state}{why}"
            self._say(incident.updated_at_ms, "incident", text, tone)

    def _outcome(self, incident: Incident, attempt: Attempt) -> None:
        text = f"{attempt.strategy} in {incident.root}: {attempt.outcome}"
        if attempt.reason:
            text += f", {attempt.reason}"
        tone: Tone = "good" if attempt.outcome == "cured" else "bad"
        self._say(incident.updated_at_ms, "verify", text, tone)

    def _command(self, command: RecoveryCommand) -> None:
        if command.command_id not in self.commands:
            self.commands[command.command_id] = command
            text = f"{command.target.service}: {command.strategy}, attempt {command.attempt}"
            pattern, _, route = command.reason.partition("; ")  # the pattern has a line of its own
            why = f" ({route or pattern})" if command.reason else ""
            self._say(command.issued_at_ms, "command", text + why, "act")

    def _result(self, result: RecoveryResult) -> None:
        if result.result_id not in self.results:
            self.results[result.result_id] = result
            text = f"{result.instance or result.service}: {result.strategy} {result.status}"
            said = f", {result.message}" if result.message else ""
            tone: Tone = "act" if result.status == "success" else "bad"
            self._say(result.finished_at_ms, "result", text + said, tone)

    def services(self) -> set[str]:
        """The services in which patterns were found."""
        return {pattern.service for pattern in self.patterns.values()}

    def cures(self) -> dict[str, Attempt]:
        """Incident id to the attempt that was verified to help and that an executor carried out."""
        carried = {
            result.command_id for result in self.results.values() if result.status == "success"
        }
        return {
            incident.incident_id: attempt
            for incident in self.incidents.values()
            for attempt in incident.attempts
            if attempt.outcome == "cured" and attempt.command_id in carried
        }

    def reached(self) -> dict[str, bool]:
        """Which steps the topics show. The last two: for every incident, of which there is one."""
        states = [incident.state for incident in self.incidents.values()]
        cured = bool(states) and set(self.cures()) == set(self.incidents)
        success = any(result.status == "success" for result in self.results.values())
        return {
            "detected": bool(self.patterns) and bool(states),
            "commanded": bool(self.commands),
            "carried out": success,
            "verified": cured and all(state in _RESOLVED for state in states),
            "closed": cured and all(state in _RESOLVED for state in states) and self._are_over(),
        }

    def _are_over(self) -> bool:
        return all(pattern.state == "closed" for pattern in self.patterns.values())

    def failed(self) -> str:
        """Why it can no longer end well; empty while it can."""
        for incident in self.incidents.values():
            if incident.state == "escalated":
                return f"the incident in {incident.root} was escalated: {incident.reason}"
        return ""
