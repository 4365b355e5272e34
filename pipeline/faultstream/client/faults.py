"""Faults by command: the handler of the strategy `inject`."""

from typing import TYPE_CHECKING, Final

from faultstream.client.handler import Outcome
from faultstream.core.records import RecoveryCommand

if TYPE_CHECKING:
    from faultstream.client.executor import Executor
    from faultstream.client.injection import Injection, Injector

STRATEGY: Final = "inject"
SHOWN_POINTS: Final = 10


def obey(injector: "Injector", executor: "Executor") -> None:
    """Have the executor carry such commands out; see Injector.obey."""

    from faultstream.client.injection import MAX_POINTS  # noqa: PLC0415 - it needs this module

    def handle(command: RecoveryCommand) -> Outcome:
        if not command.experiment_id:
            return Outcome("not_attempted", "the command names no experiment")
        if command.rollback_of:
            gone = injector.end_all(command.experiment_id)
            return Outcome("success", f"ended {gone} injections", {"ended": gone})
        if not injector.enabled:
            return Outcome("not_attempted", "fault injection is off here")
        try:
            injection = _ordered(injector, command, executor.now_ms())
            points = injector.points()
            if injection.target not in points and len(points) < MAX_POINTS:
                known = ", ".join(points[:SHOWN_POINTS]) or "none"
                text = f"this injector has no point {injection.target!r}; it has {known}"
                return Outcome("not_attempted", text)
            injector.begin(injection)
        except (KeyError, TypeError, ValueError) as exc:
            return Outcome("not_attempted", f"parameters: {type(exc).__name__}: {exc}")
        text = f"{injection.target} for {injection.duration_s:g} s"
        return Outcome("success", text, {"duration_s": injection.duration_s})

    executor.handles(STRATEGY, undoes=True)(handle)


def _ordered(injector: "Injector", command: RecoveryCommand, now_ms: int) -> "Injection":
    given = command.parameters
    left_s = (command.expires_at_ms - now_ms) / 1000
    return injector.inject(
        str(given["target"]),
        injector.named(given.get("error")),
        probability=float(given.get("probability", 1.0)),
        duration_s=min(float(given.get("duration_s", left_s)), left_s),
        latency_ms=int(given.get("latency_ms", 0)),
        lose_ratio=float(given.get("lose_ratio", 0.0)),
        experiment_id=command.experiment_id,
    )
