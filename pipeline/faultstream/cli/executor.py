"""`faultstream executor`: carry commands out beside the services, by webhook or local program."""

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from faultstream.cli.where import BROKERS_HELP, running
from faultstream.config import executor as config
from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.executors.policy import ExecutorPolicy, HandlerPolicy
from faultstream.ops import log

if TYPE_CHECKING:
    from faultstream.executors.crew import Crew

GRACE_S: Final = 20.0
"""What runs when SIGTERM comes has this long to finish."""
_LOOK_S: Final = 0.05


@click.command("executor")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    help="executor.yaml: which strategies of which services, and how.",
)
@click.option("--brokers", help=BROKERS_HELP)
@click.option("--check", is_flag=True, help="Only look at the file and the environment.")
def command(file: Path, brokers: str | None, *, check: bool) -> None:
    """Carry recovery commands out by webhooks and local programs.

    Runs until Ctrl-C or SIGTERM; what is under way then has 20 s to finish.
    FAULTSTREAM_SIGNING_KEY must be the key that respond signs with.

    \b
    Example:  faultstream executor --config executor.yaml --check
              faultstream executor --config executor.yaml
    """
    settings = Settings.from_env()
    policy = config.load(file)
    crew = _crew(file, policy, settings, brokers or running() or settings.brokers)
    if check:
        click.echo(f"{file}: fine, {_shown(policy)}")
        return
    log.configure(settings.log_level)
    from faultstream.client import JournalInUseError  # noqa: PLC0415 - `--help` must stay quick

    try:
        asyncio.run(_run(crew, policy))
    except JournalInUseError as exc:
        raise ConfigError(str(file), "journal", str(exc)) from exc
    except OSError as exc:
        problem = f"cannot be written: {exc.strerror or exc}"
        raise ConfigError(str(file), "journal", problem, value=policy.journal) from exc


def _crew(file: Path, policy: ExecutorPolicy, settings: Settings, brokers: str) -> "Crew":
    from faultstream.executors.crew import ActionError, Crew  # noqa: PLC0415

    if not settings.signing_key:
        raise ConfigError(
            "environment",
            "FAULTSTREAM_SIGNING_KEY",
            "missing; commands are believed by it",
            bound="the key that respond signs with",
        )
    topology = load(settings.topology)
    try:
        return Crew(
            policy,
            os.environ,
            keys=settings.keys,
            brokers=brokers,
            topics=(topology.topic("commands"), topology.topic("results")),
        )
    except ActionError as exc:
        place, _, problem = str(exc).partition(": ")
        raise ConfigError(str(file), place, problem) from exc
    except ValueError as exc:
        raise ConfigError("command line", "--brokers", str(exc)) from exc


async def _run(crew: "Crew", policy: ExecutorPolicy) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, crew.stop, GRACE_S)
    telling = asyncio.create_task(_tell(crew, policy))
    try:
        await crew.run()
    finally:
        telling.cancel()


async def _tell(crew: "Crew", policy: ExecutorPolicy) -> None:
    while not crew.ready:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(_LOOK_S)
    click.echo(f"ready: {_shown(policy)}; Ctrl-C stops")


def _shown(policy: ExecutorPolicy) -> str:
    return "; ".join(
        f"{name}: {', '.join(_named(*one) for one in service.handlers.items())}"
        for name, service in policy.services.items()
    )


def _named(strategy: str, handler: HandlerPolicy) -> str:
    undoes = (handler.webhook is not None and handler.webhook.undo_url is not None) or (
        handler.command is not None and handler.command.undo_argv is not None
    )
    return f"{strategy} (and back)" if undoes else strategy
