"""Which commands an executor may carry out, and what is answered to the others. Pure.

Nothing is answered to a command whose signature does not hold: an answer would let a forger
speak for the executor about a real command. Whose clock is right: a command is refused at its
expiry by the executor's own clock, and when it claims to be issued more than `skew_ms` ahead of it.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from faultstream import wire
from faultstream.core.errors import DataError
from faultstream.core.records import RecoveryCommand, ResultStatus
from faultstream.core.signing import KEY_ID_HEADER, MIN_KEY_BYTES, SIGNATURE_HEADER, verify

MAX_COMMAND_BYTES: Final = 256 * 1024

Reason = Literal[
    "unsigned", "unknown_key", "forged", "malformed", "elsewhere", "old",
    "ahead", "long_lived", "expired", "replayed", "unsupported", "dry_run", "journal",
]  # fmt: skip


class Verdict(NamedTuple):
    """`command` is there once the signature held. No `reason`: carry it out.

    `answer` is the status to answer with, None for no answer.
    """

    command: RecoveryCommand | None
    reason: Reason | None = None
    answer: ResultStatus | None = None
    message: str = ""


class Admission:
    """What one executor accepts. Lengths are milliseconds."""

    def __init__(
        self,
        *,
        environment: str,
        service: str,
        instance: str,
        keys: Mapping[str, bytes],
        max_ttl_ms: int,
        skew_ms: int,
    ) -> None:
        """Keys by key id.

        Raises:
            ValueError: no key, or one of fewer than 16 bytes.
        """
        if not keys:
            raise ValueError(
                "keys: expected at least one signing key, got none; give keys={'k1': ...}, "
                "or set FAULTSTREAM_SIGNING_KEY"
            )
        for key_id, key in keys.items():
            if len(key) < MIN_KEY_BYTES:
                raise ValueError(
                    f"keys: {key_id!r} has {len(key)} bytes, a key has at least {MIN_KEY_BYTES}"
                )
        self._environment = environment
        self._service = service
        self._instance = instance
        self._keys = dict(keys)
        self._max_ttl_ms = max_ttl_ms
        self._skew_ms = skew_ms

    def judge(
        self, value: bytes | None, headers: Iterable[tuple[str, bytes]], now_ms: int
    ) -> Verdict:
        """Look at one record of the commands topic."""
        doubt = self._doubt(value, dict(headers))
        if doubt is not None or value is None:
            return Verdict(None, doubt)
        try:
            command = wire.decode(RecoveryCommand, value)
        except DataError:
            return Verdict(None, "malformed")
        if not self._ours(command):
            return Verdict(command, "elsewhere")
        return self.timely(command, now_ms)

    def timely(self, command: RecoveryCommand, now_ms: int) -> Verdict:
        """The part that changes with time; asked again just before it is carried out."""
        if now_ms >= command.expires_at_ms:
            late_ms = now_ms - command.expires_at_ms
            if late_ms > self._max_ttl_ms:
                return Verdict(command, "old")
            return Verdict(command, "expired", "expired", f"expired {late_ms} ms ago")
        if command.expires_at_ms - command.issued_at_ms > self._max_ttl_ms:
            text = f"lives longer than the {self._max_ttl_ms} ms that are accepted"
            return Verdict(command, "long_lived", "rejected", text)
        ahead_ms = command.issued_at_ms - now_ms
        if ahead_ms > self._skew_ms:
            return Verdict(command, "ahead", "rejected", f"issued {ahead_ms} ms in the future")
        return Verdict(command)

    def _doubt(self, value: bytes | None, headers: Mapping[str, bytes]) -> Reason | None:
        """Why the record cannot be believed."""
        signature, key_id = headers.get(SIGNATURE_HEADER), headers.get(KEY_ID_HEADER)
        if value is None or not signature or key_id is None:
            return "unsigned"
        key = self._keys.get(key_id.decode("utf-8", "replace"))
        if key is None:
            return "unknown_key"
        if len(value) > MAX_COMMAND_BYTES:
            return "malformed"
        return None if verify(value, signature.decode("utf-8", "replace"), key) else "forged"

    def _ours(self, command: RecoveryCommand) -> bool:
        target = command.target
        if target.environment != self._environment or target.service != self._service:
            return False
        if isinstance(target.instances, str):
            return target.instances in {"all", "one", self._instance}
        return self._instance in target.instances
