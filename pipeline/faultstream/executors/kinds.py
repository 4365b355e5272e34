"""The kinds of actions: a new kind is one file and one line in `KINDS`."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from faultstream.client import Outcome, RecoveryCommand
from faultstream.core.standard_webhook import secret
from faultstream.executors.local import LocalCommand
from faultstream.executors.policy import CommandPolicy, HandlerPolicy, WebhookPolicy
from faultstream.executors.webhook import Webhook


class Action(Protocol):
    """Carries out the commands of one strategy for one service. Called once per command."""

    @property
    def longest_ms(self) -> int:
        """The most that one call takes."""
        ...

    @property
    def undoes(self) -> bool:
        """Whether commands with `rollback_of` are taken back, and not carried out as others."""
        ...

    async def __call__(self, command: RecoveryCommand) -> Outcome:
        """What came of it; raises only for our own mistakes."""
        ...

    async def close(self) -> None:
        """Let go of connections. May be repeated."""
        ...


def _webhook(policy: HandlerPolicy, env: Mapping[str, str]) -> Action:
    given = policy.webhook or WebhookPolicy(url="", secret_env="")
    return Webhook(given, secret(given.secret_env, env))


def _command(policy: HandlerPolicy, env: Mapping[str, str]) -> Action:
    return LocalCommand(policy.command or CommandPolicy(argv=()), env)


KINDS: Final[dict[str, Callable[[HandlerPolicy, Mapping[str, str]], Action]]] = {
    "webhook": _webhook,
    "command": _command,
}
"""By the name of the field of `HandlerPolicy` that asks for it."""


def make(policy: HandlerPolicy, env: Mapping[str, str]) -> Action:
    """The action that a handler's policy describes; `env` holds the secrets.

    Raises:
        ValueError: not exactly one kind, or its secret is missing or too short.
    """
    named = [name for name in KINDS if getattr(policy, name) is not None]
    if len(named) != 1:
        raise ValueError(f"exactly one of {' and '.join(KINDS)}")
    return KINDS[named[0]](policy, env)
