"""Answers: what executors say about commands, and whether a command counts as an attempt.

The first answer of each instance counts. One success is enough. After a first failure other
instances have `GRACE_MS` to do better, unless all known ones have answered, or the only one that
acts has tried and failed. A command of which nobody attempted anything is no attempt: it is given
back once all known instances said so, or when nobody may begin it any more.
"""

from typing import Final

from faultstream.core.incident import MAX_ANSWERS, EnvironmentState, Refund, Try
from faultstream.core.policy import Topology
from faultstream.core.records import Outcome, RecoveryResult

GRACE_MS: Final = 1_000
_NOTHING: Final = frozenset({"not_attempted", "rejected", "expired"})
_MAX_REASON: Final = 1_000


def who(result: RecoveryResult) -> str:
    """Who answers."""
    return result.instance or result.executor


def keep(attempt: Try, result: RecoveryResult) -> bool:
    """Keeps the answer; False when this instance has answered before."""
    name = who(result)
    if name in attempt.answers:
        return False
    if len(attempt.answers) < MAX_ANSWERS:
        attempt.answers[name] = result.status
    return True


def say(attempt: Try, text: str) -> None:
    """Adds to the reason of an attempt's outcome, up to a bound."""
    joined = f"{attempt.reason}; {text}" if attempt.reason else text
    attempt.reason = joined[:_MAX_REASON]


def alive(attempt: Try, now_ms: int) -> None:
    """A sign of life: it has its time anew, up to `latest_ms`."""
    again = now_ms + attempt.command.timeout_ms
    attempt.deadline_ms = max(attempt.deadline_ms, min(again, attempt.latest_ms))
    attempt.outcome = "running"


def failing(topology: Topology, attempt: Try, status: str, now_ms: int) -> bool:
    """An instance did not succeed. True: no other one will."""
    if attempt.failing_since_ms is None:
        attempt.failing_since_ms = now_ms
    if _everyone(topology, attempt):
        return True
    return attempt.command.delivery == "exactly_one" and status in {"failed", "partial"}


def overdue(attempt: Try, now_ms: int) -> Outcome | None:
    """The outcome of a command whose time is up, None while it has some."""
    since = attempt.failing_since_ms
    if since is not None and now_ms >= min(since + GRACE_MS, attempt.deadline_ms):
        return failure(attempt)
    if now_ms >= attempt.deadline_ms:
        length = (attempt.deadline_ms - attempt.issued_ms) / 1000
        say(attempt, f"nobody answered within {length:g} s")
        return "expired"
    return None


def failure(attempt: Try) -> Outcome:
    """What the answers without a success come to."""
    statuses = set(attempt.answers.values())
    if "partial" in statuses:
        return "partial"
    if "failed" in statuses:
        return "failed"
    return "expired" if statuses == {"expired"} else "refused"


def account(topology: Topology, state: EnvironmentState, attempt: Try) -> None:
    """After an answer: notes whether the command counts as an attempt."""
    command = attempt.command
    if command.rollback_of or command.dry_run:
        return
    key, service = command.command_id, command.target.service
    if set(attempt.answers.values()) <= _NOTHING:
        due = state.now_ms if _everyone(topology, attempt) else command.expires_at_ms
        state.refunds[key] = Refund(service, attempt.strategy, attempt.issued_ms, due)
        give_back(state)
        return
    pending = state.refunds.pop(key, None)
    times = state.attempts.setdefault(service, [])
    if pending is None and attempt.issued_ms not in times:
        times.append(attempt.issued_ms)  # it was given back too early
        times.sort()


def give_back(state: EnvironmentState) -> None:
    """Takes commands that nobody attempted, nor may any more, out of the count."""
    for key, refund in list(state.refunds.items()):
        if refund.due_ms > state.now_ms:
            continue
        del state.refunds[key]
        times = state.attempts.get(refund.service, [])
        if refund.issued_ms in times:
            times.remove(refund.issued_ms)


def _everyone(topology: Topology, attempt: Try) -> bool:
    known = topology.services.get(attempt.command.target.service)
    count = known.instances if known is not None else None
    return count is not None and len(attempt.answers) >= count
