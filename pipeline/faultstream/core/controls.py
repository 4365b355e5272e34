"""Controls: what operators may wish for an incident, with typed arguments. WISHES is the list.

These are done once: `faultstream` publishes the record, respond takes it for `WISH_MS` after it
was set (or to its `until_at_ms`), and one `control_id` at most once, whatever is read again. What
came of it stands in the incident's `reason`. A pause is no wish in this sense, it lasts.
"""

from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from faultstream.core.errors import DataError
from faultstream.core.ids import derive
from faultstream.core.records import Control, ControlKind

WISH_MS: Final = 600_000

Name = Annotated[str, Meta(max_length=500)]


class Wish(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`incident_id` may also be the id of one of its commands. Unknown arguments are ignored."""

    incident_id: Name = ""

    def about(self) -> str:
        """What it is about; the end of the control's subject."""
        return self.incident_id

    def problem(self) -> str:
        """Why it says too little, '' when it does not."""
        return "" if self.incident_id else "incident_id is missing"


class Approve(Wish, frozen=True, kw_only=True):
    """The strategy that waits may be commanded; one named `strategy` only, when it is given."""

    strategy: Name = ""


class Cancel(Wish, frozen=True, kw_only=True):
    """What is under way ends and a person takes over; `rollback` takes back what was done."""

    rollback: bool = False


class Resolve(Wish, frozen=True, kw_only=True):
    """A person says that it is over, or that nothing was wrong (`false_alarm`)."""

    false_alarm: bool = False


class Acknowledge(Wish, frozen=True, kw_only=True):
    """A person takes care of it."""


class Trigger(Wish, frozen=True, kw_only=True):
    """Recover now: an open incident, or errors of now or of the past.

    One of `incident_id` and `service` is needed; of both the service counts when the incident is
    forgotten. Without an incident, the open one of the service with that `fingerprint` is taken,
    else a new one is opened for it, whose id is `opened_by`; `layer`, `error_type`, `category` and
    `transient` say what is known of the past error and choose the route. Without a `strategy` the
    route decides; with one, a route is not needed, and what was tried or is for transient errors
    only may be asked for too. `strategy_parameters` replace those of topology.yaml one by one. It
    counts as an approval by `by`. Guards hold for it.
    """

    service: Name = ""
    fingerprint: Name = ""
    layer: Name = ""
    error_type: Name = ""
    category: Name = ""
    transient: bool = False
    strategy: Name = ""
    strategy_parameters: dict[str, Any] = {}
    dry_run: bool = False

    def about(self) -> str:
        """The incident, else the service and the fingerprint."""
        return self.incident_id or f"{self.service}/{self.fingerprint}".rstrip("/")

    def problem(self) -> str:
        """Whom it is for, and what for."""
        if not self.incident_id and not self.service:
            return "incident_id or service is missing"
        if self.strategy_parameters and not self.strategy:
            return "strategy_parameters without a strategy"
        return ""


WISHES: Final[dict[ControlKind, type[Wish]]] = {
    "approve": Approve,
    "cancel": Cancel,
    "resolve": Resolve,
    "acknowledge": Acknowledge,
    "trigger": Trigger,
}

P = TypeVar("P", bound=msgspec.Struct)
W = TypeVar("W", bound=Wish)


def ask(
    wish: Wish,
    *,
    environment: str,
    by: str,
    now_ms: int,
    reason: str = "",
    active: bool = True,
    until_ms: int | None = None,
) -> Control:
    """The record to publish with its `subject` as key. `environment` '' is every one; a trigger
    without an incident needs one.

    Raises:
        DataError: stage `validate`; the wish says too little.
    """
    problem = wish.problem()
    if not problem and isinstance(wish, Trigger) and not wish.incident_id and not environment:
        problem = "environment is missing"
    if problem:
        raise DataError("validate", problem)
    kind = next(kind for kind, made in WISHES.items() if made is type(wish))
    subject = f"{kind}/{wish.about()}"
    return Control(
        control_id=derive("control", environment, subject, now_ms),
        kind=kind,
        subject=subject,
        environment=environment,
        active=active,
        by=by,
        reason=reason,
        set_at_ms=now_ms,
        until_at_ms=until_ms,
        parameters=msgspec.to_builtins(wish),
    )


def parameters_of(control: Control, kind: type[P]) -> P:
    """The parameters of a control as a struct.

    Raises:
        DataError: stage `validate`, naming the argument.
    """
    try:
        return msgspec.convert(control.parameters, kind)
    except msgspec.ValidationError as exc:
        raise DataError("validate", f"parameters: {exc}") from exc


def wish_of(control: Control, kind: type[W]) -> W:
    """The arguments of a control. Without an incident_id, the last part of the subject is it.

    Raises:
        DataError: stage `validate`, naming the argument.
    """
    wish = parameters_of(control, kind)
    if wish.incident_id or (isinstance(wish, Trigger) and wish.service):
        return wish
    last = control.subject.replace(":", "/").rsplit("/", 1)[-1]
    return msgspec.structs.replace(wish, incident_id=last)


def opened_by(control: Control) -> str:
    """The id of the incident that a trigger opens when no open one is meant."""
    return derive("incident", control.environment, control.control_id)


def timely(control: Control, now_ms: int) -> bool:
    """Whether what is done once may still be begun."""
    end = control.set_at_ms + WISH_MS
    if control.until_at_ms is not None:
        end = min(end, control.until_at_ms)
    return now_ms < end


def paused(
    environment: str,
    *,
    service: str = "",
    active: bool,
    reason: str,
    by: str,
    now_ms: int,
    until_ms: int | None,
    from_ms: int | None = None,
) -> Control:
    """The record that pauses (`active`) or resumes. `environment` and `service`: "" is all."""
    subject = f"pause/{environment or '*'}" + (f"/{service}" if service else "")
    return Control(
        control_id=derive("control", subject, now_ms),
        kind="pause",
        subject=subject,
        environment=environment,
        active=active,
        by=by,
        reason=reason,
        set_at_ms=now_ms,
        from_at_ms=from_ms,
        until_at_ms=until_ms,
        parameters={"service": service} if service else {},
    )
