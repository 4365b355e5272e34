"""Sampling rules: which errors clients send one by one, and which they send as a count.

A rule is a control of kind `sample`. Nothing is lost by it: what is not sent by itself is counted
into the next event of the same kind that is, so that sums over `count` stay exact.
"""

import fnmatch
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from faultstream.core.controls import parameters_of
from faultstream.core.ids import derive
from faultstream.core.records import Control

MAX_HOLD_MS: Final = 300_000


class Sample(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parameters of such a control. Empty `service`, `fingerprint` and `error_type` are any.

    Of each kind of error (service, and fingerprint or type) the `first` ones after the rule came
    are sent at once, then one for every 1 / `ratio` of them; a count waits at most `hold_ms`.
    `error_type` may hold * and ?.
    """

    service: Annotated[str, Meta(max_length=500)] = ""
    fingerprint: Annotated[str, Meta(max_length=64)] = ""
    error_type: Annotated[str, Meta(max_length=500)] = ""
    ratio: Annotated[float, Meta(ge=0.0, le=1.0)]
    first: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    hold_ms: Annotated[int, Meta(ge=100, le=MAX_HOLD_MS)] = 10_000

    def subject(self, environment: str) -> str:
        """The key of its control: a new rule for the same errors replaces the old one."""
        about = derive("sample", environment, self.service, self.fingerprint, self.error_type)
        return f"sample/{about[:8]}"

    @property
    def rank(self) -> tuple[bool, bool, bool]:
        """The rule with the highest rank wins."""
        return bool(self.fingerprint), bool(self.error_type), bool(self.service)

    def fits(self, service: str, error_type: str) -> bool:
        """Whether it is about errors like this, but for the fingerprint."""
        if self.service not in {"", service}:
            return False
        return not self.error_type or fnmatch.fnmatchcase(error_type, self.error_type)


def sample_of(control: Control) -> Sample:
    """The rule in a control of kind `sample`.

    Raises:
        DataError: stage `validate`; its parameters are none.
    """
    return parameters_of(control, Sample)


def sampling(
    sample: Sample, *, environment: str, by: str, reason: str, now_ms: int, until_ms: int | None
) -> Control:
    """The control that sets a rule until then; None takes back the one for the same errors."""
    subject = sample.subject(environment)
    return Control(
        control_id=derive("control", subject, now_ms),
        kind="sample",
        subject=subject,
        environment=environment,
        active=until_ms is not None,
        by=by,
        reason=reason,
        set_at_ms=now_ms,
        until_at_ms=until_ms,
        parameters=msgspec.to_builtins(sample),
    )
