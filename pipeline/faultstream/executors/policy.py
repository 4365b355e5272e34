"""What executor.yaml can say, as frozen values with their bounds. Lengths are milliseconds."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from faultstream.core.policy import Name
from faultstream.core.records import Delivery

LongestMillis = Annotated[int, Meta(ge=1, le=900_000)]
Status = Literal["success", "partial", "failed", "not_attempted"]
ExitCode = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,2})$")]
Url = Annotated[str, Meta(min_length=1, max_length=2_000)]
Argv = tuple[Annotated[str, Meta(max_length=4_096)], ...]
HttpStatus = Annotated[str, Meta(pattern=r"^[2-5][0-9]{2}$")]


class _Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class WebhookPolicy(_Policy, frozen=True, kw_only=True):
    """A POST to `url`, which commands cannot change. `secret_env` names the variable that holds the
    secret that requests are signed with. `statuses` says what an HTTP status means, beyond what
    the webhook knows by itself."""

    url: Url
    secret_env: Annotated[str, Meta(min_length=1, max_length=200)]
    undo_url: Url | None = None
    """Where commands go that take one of the strategy back. It may be `url` again: such a command
    has `rollback_of`. Left out, those of a built-in strategy are not attempted."""
    timeout_ms: LongestMillis = 10_000
    """Of one request."""
    attempts: Annotated[int, Meta(ge=1, le=10)] = 3
    """All with the same idempotency key. 1 for a receiver that does not heed it."""
    statuses: dict[HttpStatus, Status] = {}


class CommandPolicy(_Policy, frozen=True, kw_only=True):
    """A program on this machine, never through a shell.

    `argv[0]` is an absolute path. `{name}` in the others is the command's parameter of that name;
    all parameters are also in the environment, as PARAMETER_<NAME> behind our prefix. Of our own
    environment the program gets PATH, LANG and what `pass_env` names.
    """

    argv: Argv
    undo_argv: Argv | None = None
    """The program that takes back what `argv` did, for commands with `rollback_of`; it gets the
    same parameters. Left out, such commands of a built-in strategy are not attempted."""
    cwd: str = "/"
    env: dict[str, str] = {}
    pass_env: tuple[str, ...] = ()
    timeout_ms: LongestMillis = 30_000
    """After this the program and its process group get SIGTERM, and SIGKILL after `grace_ms`."""
    grace_ms: LongestMillis = 2_000
    exit_codes: dict[ExitCode, Status] = {}
    """0 is success and every other code failed, unless it stands here."""


class HandlerPolicy(_Policy, frozen=True, kw_only=True):
    """How one strategy is carried out for a service: by a `webhook` or by a `command`."""

    delivery: Delivery | None = None
    """Left out: exactly_one for resource_scale and service_restart, else broadcast."""
    webhook: WebhookPolicy | None = None
    command: CommandPolicy | None = None


class ServiceHandlersPolicy(_Policy, frozen=True, kw_only=True):
    """The strategies that are carried out for one service, `concurrency` at a time."""

    concurrency: Annotated[int, Meta(ge=1, le=100)] = 4
    handlers: dict[Name, HandlerPolicy]


class ExecutorPolicy(_Policy, frozen=True, kw_only=True):
    """The whole of executor.yaml.

    `instance` must differ between executors and stay the same across restarts; empty is the
    host's name. `journal` is a folder with one file per service; what was begun and done stands
    there, so it must survive restarts.
    """

    version: Literal[1]
    environment: Name = "production"
    instance: Annotated[str, Meta(max_length=200)] = ""
    journal: Annotated[str, Meta(min_length=1, max_length=4_096)]
    services: dict[Name, ServiceHandlersPolicy]
