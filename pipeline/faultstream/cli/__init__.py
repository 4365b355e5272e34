"""The command `faultstream`: a group whose commands are imported when they are called.

A command is one file cli/<name>.py (dashes become underscores) with `command: click.Command`,
and one line in `COMMANDS`. Exit codes: 0 fine, 1 the answer is no, 2 usage or configuration,
3 cannot reach Kafka or ClickHouse.
"""

import importlib
import sys
from typing import Final

import click

from faultstream import __version__
from faultstream.config.errors import ConfigError

EXIT_USAGE: Final = 2
EXITUNREACHABLE: Final = 3

# Section -> command -> what it does. The order is the one in which a newcomer needs them.
COMMANDS: Final[dict[str, dict[str, str]]] = {
    "Start here": {
        "demo": "Break a small shop and watch it recover, then ask why in SQL.",
        "check": "Validate topology.yaml and the environment without connecting anywhere.",
        "up": "Run broker, engine and all workers on this machine.",
        "sql": "Ask ClickHouse what happened.",
    },
    "Operate": {
        "top": "Show how things stand: services, incidents, what is in force.",
        "incidents": "List what is open, or was.",
        "show": "Show one incident: why, what was done, what came of it, who was told.",
        "post-incident": "Write the analysis of one incident.",
        "runbook": "Write what to do about an error type, from what worked.",
        "report": "Say how good recovery was, goal by goal, and what to do about it.",
        "recover": "Recover by hand: an incident, or errors of the past.",
        "approve": "Let the strategy be commanded that waits for approval.",
        "cancel": "End the recovery that is under way; a person takes over.",
        "resolve": "Say that an incident is over.",
        "topology": "Create the Kafka topics, or say what differs.",
        "worker": "Run one worker: detect, respond, record or notify.",
        "gateway": "Take errors over HTTP: JSON, Sentry, OpenTelemetry; answer and be steered.",
        "executor": "Carry commands out by webhooks and local programs.",
        "watch": "Find errors in log files and metrics, and publish them as events.",
        "correct": "Say what errors are, against the verdict of the rules.",
        "pause": "Stop or resume recovery in an environment.",
        "ack": "Take care of an incident, so that nobody else is woken.",
        "client-state": "Ask the instances of a service what is in force in them.",
        "experiment": "Break something on purpose and grade the answer.",
        "sample": "Have clients send fewer events of a flood, with exact counts.",
        "silence": "Tell nobody of what matches, for a while.",
        "notify": "Try out the channels of topology.yaml.",
        "dead-letters": "List, show and replay the records that were refused.",
        "broker": "Run the embedded Kafka-protocol broker alone.",
        "engine": "Run the embedded ClickHouse engine alone.",
    },
    "Offline, JSON Lines in and out": {
        "events": "Write recorded errors as error events, for the commands below.",
        "classify": "Say the category and severity of error events.",
        "fingerprint": "Say which error events are one problem.",
        "detect": "Find patterns in error events.",
        "respond": "Say what would be commanded for patterns and results.",
        "shadow": "Say what another topology would do differently on the same events.",
        "simulate": "Make the errors of a fleet with planted incidents, and score detection.",
        "quality": "Measure the core: how good it is, and where it is weak.",
    },
}

# What means "cannot reach it" beside ConnectionError, by full name, so that no driver is imported
# to find out.
UNREACHABLE: Final = frozenset(
    {
        "aiokafka.errors.KafkaConnectionError",
        "aiokafka.errors.KafkaTimeoutError",
        "aiokafka.errors.NodeNotReadyError",
        "clickhouse_connect.driver.exceptions.OperationalError",
    }
)


class _Failure(click.ClickException):
    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def show(self, file: object = None) -> None:  # noqa: ARG002  (click's signature)
        click.echo(self.message, err=True)


class Commands(click.Group):
    """A group over `COMMANDS` that turns known errors into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """Every command, in the order of `COMMANDS`."""
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None when there is none."""
        if cmd_name not in self.list_commands(ctx):
            return None
        try:
            module = importlib.import_module(f"faultstream.cli.{cmd_name.replace('-', '_')}")
        except ModuleNotFoundError as exc:
            if exc.name is None or exc.name.startswith("faultstream"):
                raise
            hint = f"faultstream {cmd_name} needs the module {exc.name}: "
            hint += "pip install 'faultstream[pipeline,embedded]'"
            raise _Failure(hint, EXIT_USAGE) from exc
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, and names the likeliest command for one that does not exist."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as exc:
            import difflib  # noqa: PLC0415 - start-up time, and only for mistakes

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if near:
                exc.message += f" Did you mean {near[0]}?"
            raise

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  (click's signature)
        formatter: click.HelpFormatter,
    ) -> None:
        """The list of commands by section, without importing any of them."""
        for section, commands in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; configuration errors exit with 2, unreachable servers with 3."""
        try:
            return super().invoke(ctx)
        except ConfigError as exc:
            raise _Failure(str(exc), EXIT_USAGE) from exc
        except BrokenPipeError:
            raise
        except Exception as exc:
            if _is_unreachable(exc):
                raise _Failure(f"cannot reach it: {exc}", EXITUNREACHABLE) from exc
            raise


def _is_unreachable(exc: BaseException) -> bool:
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(exc).__mro__}
    return isinstance(exc, ConnectionError) or bool(names & UNREACHABLE)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Where it runs: variables FAULTSTREAM_*, see docs/reference/configuration.md.",
)
@click.version_option(__version__, message="faultstream %(version)s")
def main() -> None:
    """Turn the errors of a fleet into verified recovery.

    \b
    Try it:         faultstream demo
    Your own:       faultstream check topology.yaml
                    faultstream up
                    faultstream sql "SELECT * FROM incidents"
    On servers:     FAULTSTREAM_KAFKA=kafka:9092 faultstream worker detect
    """


if __name__ == "__main__":
    sys.exit(main())
