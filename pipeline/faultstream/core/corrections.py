"""Corrections: what an operator says that an error is, against the verdict.

A correction is a control of kind `correct`. It holds for events with that fingerprint, or of that
type, whose own time is not before it was set nor after it ends: so the same records and the same
controls give the same verdicts, whenever they are read and by whomever. The narrowest counts: a
fingerprint before a type, one environment before all, the later one of two.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from faultstream.core.classify.engine import DOMAINS
from faultstream.core.controls import parameters_of
from faultstream.core.errors import DataError
from faultstream.core.frames import plain_type
from faultstream.core.group import Category, Group
from faultstream.core.ids import derive
from faultstream.core.records import Control
from faultstream.core.severity import Severity
from faultstream.core.status import BY_CATEGORY
from faultstream.core.tally import Sighting

MAX_CORRECTIONS: Final = 10_000
"""Held at once; past it the oldest is forgotten."""
_MAX_GROUPS: Final = 4_096


class Correct(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parameters of such a control: one of `fingerprint` and `error_type`, and what is right.

    What is not given stays as the rules say.
    """

    fingerprint: Annotated[str, Meta(max_length=64)] = ""
    error_type: Annotated[str, Meta(max_length=500)] = ""
    category: Category | None = None
    severity: Severity | None = None
    transient: bool | None = None

    def about(self) -> str:
        """What it is about; the end of the control's subject."""
        if self.fingerprint:
            return f"fingerprint/{self.fingerprint}"
        return f"type/{plain_type(self.error_type)}"[:500]

    def problem(self, *, active: bool) -> str:
        """Why it says too little, '' when it does not."""
        if bool(self.fingerprint) is bool(self.error_type):
            return "give one of fingerprint and error_type"
        if active and self.category is None and self.severity is None and self.transient is None:
            return "nothing is corrected: give category, severity or transient"
        return ""


class _Rule(msgspec.Struct, frozen=True):
    right: Correct
    environment: str
    by: str
    set_at_ms: int
    until_at_ms: int | None

    def holds(self, environment: str, time_ms: int) -> bool:
        return (
            self.environment in {"", environment}
            and self.set_at_ms <= time_ms
            and (self.until_at_ms is None or time_ms < self.until_at_ms)
        )


class Corrections:
    """What was told, and its application. Bounded by MAX_CORRECTIONS."""

    def __init__(self) -> None:
        self._by_subject: dict[str, _Rule] = {}
        self._by_fingerprint: dict[str, list[_Rule]] = {}
        self._by_type: dict[str, list[_Rule]] = {}
        self._groups: dict[tuple[Group, _Rule], Group] = {}

    def __len__(self) -> int:
        return len(self._by_subject)

    def tell(self, control: Control) -> None:
        """Take a control; the last one per subject counts, other kinds are ignored.

        Raises:
            DataError: stage `validate`; its parameters are no correction.
        """
        if control.kind != "correct":
            return
        right = correct_of(control)
        problem = right.problem(active=control.active)
        if problem:
            raise DataError("validate", problem)
        self._by_subject.pop(control.subject, None)
        if control.active:
            self._by_subject[control.subject] = _Rule(
                right, control.environment, control.by, control.set_at_ms, control.until_at_ms
            )
            if len(self._by_subject) > MAX_CORRECTIONS:
                del self._by_subject[next(iter(self._by_subject))]
        self._groups.clear()
        self._by_fingerprint, self._by_type = {}, {}
        for rule in sorted(self._by_subject.values(), key=_narrowest_first):
            right = rule.right
            if right.fingerprint:
                self._by_fingerprint.setdefault(right.fingerprint, []).append(rule)
            else:
                self._by_type.setdefault(plain_type(right.error_type), []).append(rule)

    def apply(self, group: Group, event: Sighting) -> Group:
        """`group` with the verdict that holds for the event, the same object when none does.

        `event` is admitted: its time is milliseconds.
        """
        rule = self._found(group, event)
        if rule is None:
            return group
        key = (group, rule)
        known = self._groups.get(key)
        if known is None:
            known = _corrected(group, rule)
            if len(self._groups) >= _MAX_GROUPS:
                self._groups.clear()
            self._groups[key] = known
        return known

    def _found(self, group: Group, event: Sighting) -> _Rule | None:
        for rules in (
            self._by_fingerprint.get(group.fingerprint, ()),
            self._by_type.get(group.error_type, ()),
        ):
            for rule in rules:
                if isinstance(event.time, int) and rule.holds(event.environment, event.time):
                    return rule
        return None


def _narrowest_first(rule: _Rule) -> tuple[bool, int]:
    return rule.environment == "", -rule.set_at_ms


def _corrected(group: Group, rule: _Rule) -> Group:
    verdict, right = group.verdict, rule.right
    category = right.category or verdict.category
    same = category == verdict.category
    verdict = msgspec.structs.replace(
        verdict,
        domain=DOMAINS.get(category, "technical"),
        category=category,
        severity=right.severity or verdict.severity,
        transient=verdict.transient if right.transient is None else right.transient,
        confidence=1.0,
        rule=f"corrected:{right.about()} by {rule.by or 'somebody'}, was {verdict.rule}",
        http_status=verdict.http_status if same else BY_CATEGORY[category],
    )
    return msgspec.structs.replace(group, verdict=verdict)


def correct_of(control: Control) -> Correct:
    """The correction in a control of kind `correct`.

    Raises:
        DataError: stage `validate`; its parameters are none.
    """
    return parameters_of(control, Correct)


def correction(
    right: Correct,
    *,
    environment: str,
    by: str,
    reason: str,
    now_ms: int,
    until_ms: int | None,
    since_ms: int | None = None,
    active: bool = True,
) -> Control:
    """The control that sets a correction, or takes it back when not `active`.

    It holds for events from `since_ms` on, from `now_ms` on by default. `environment` '' is all.

    Raises:
        DataError: stage `validate`; the correction says too little.
    """
    problem = right.problem(active=active)
    if problem:
        raise DataError("validate", problem)
    subject = f"correct/{environment or '*'}/{right.about()}"[:512]
    return Control(
        control_id=derive("control", subject, now_ms),
        kind="correct",
        subject=subject,
        environment=environment,
        active=active,
        by=by,
        reason=reason,
        set_at_ms=now_ms if since_ms is None else since_ms,
        until_at_ms=until_ms,
        parameters=msgspec.to_builtins(right),
    )
