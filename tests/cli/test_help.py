"""The command line: its list, its help, and its exit codes."""

import importlib
import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from faultstream import __version__
from faultstream.cli import COMMANDS, UNREACHABLE, Commands, main
from faultstream.config.errors import ConfigError

NAMES = [name for section in COMMANDS.values() for name in section]
BAD = Path(__file__).parents[1] / "config" / "bad" / "wrong-version.yaml"


def test_help_guides_without_importing_a_command() -> None:
    """Help lists every command in a newcomer's order, though none has been loaded."""
    code = (
        "import sys; from faultstream.cli import main\n"
        "try: main(['--help'], prog_name='faultstream')\n"
        "finally: sys.exit(any(m in sys.modules for m in ('faust', 'yaml', 'aiokafka')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    places = [run.stdout.index(f"\n  {name} ") for name in NAMES]
    assert places == sorted(places)
    assert run.stdout.startswith("Usage: faultstream")


def test_version() -> None:
    """`--version` says name and version."""
    assert CliRunner().invoke(main, ["--version"]).output == f"faultstream {__version__}\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_file_a_help_and_an_example(name: str) -> None:
    """The list, the file and the command agree; help shows an example."""
    assert importlib.util.find_spec(f"faultstream.cli.{name.replace('-', '_')}")
    command = Commands().get_command(click.Context(main), name)
    assert command is not None
    assert command.help
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"faultstream {name}" in result.output


def test_an_unknown_command_is_usage() -> None:
    """Exit code 2, and the command that was probably meant, where one is near."""
    result = CliRunner().invoke(main, ["chekc"])
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: No such command 'chekc'. Did you mean check?\n")
    assert "mean" not in CliRunner().invoke(main, ["xyz"]).stderr


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("f.yaml", "a.b", "wrong", line=3), 2, "f.yaml:3: a.b: wrong\n"),
        (ConnectionRefusedError("127.0.0.1:1"), 3, "cannot reach it: 127.0.0.1:1\n"),
    ],
)
def test_known_errors_have_exit_codes(error: Exception, code: int, message: str) -> None:
    """Configuration is 2, an unreachable server 3, each in one line without a traceback."""

    @click.group(cls=Commands)
    def group() -> None:
        raise error

    result = CliRunner().invoke(group, ["check"])
    assert (result.exit_code, result.stderr) == (code, message)


@pytest.mark.parametrize("name", sorted(UNREACHABLE))
def test_drivers_still_call_their_errors_so(name: str) -> None:
    """The errors known by name exist, and one of them is exit code 3."""
    module, _, kind = name.rpartition(".")
    error = getattr(importlib.import_module(module), kind)("no broker")

    @click.group(cls=Commands)
    def group() -> None:
        raise error

    assert CliRunner().invoke(group, ["check"]).exit_code == 3


def test_any_other_error_is_ours() -> None:
    """What nobody foresaw keeps its traceback."""

    @click.group(cls=Commands)
    def group() -> None:
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(group, ["check"]).exception, ZeroDivisionError)


def _ours() -> list[str]:
    return [name for name in os.environ if name.startswith("FAULTSTREAM_")]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("FAULTSTREAM_SINGING_KEY", "SIGNING_KEY"),
        ("FAULTSTREAM_KAFKA_BROKERS", "KAFKA"),
        ("FAULTSTREAM_CLICKHOUSE_URL", "CLICKHOUSE"),
        ("FAULTSTREAM_WHATEVER", ""),
        ("FAULTSTREAM_MAIL", None),
        ("FAULTSTREAM_LOG_LEVEL", None),
    ],
)
def test_check_names_the_variable_that_was_meant(
    name: str, nearest: str | None, tmp_path: Path
) -> None:
    """One with our prefix that is no setting, and that no channel names, is a warning without its
    value; with --strict it is refused."""
    file = tmp_path / "topology.yaml"
    shipped = yaml.safe_load(Path("topology.yaml").read_text())
    shipped["channels"]["mail"] = {"kind": "apprise", "url_env": "FAULTSTREAM_MAIL"}
    file.write_text(yaml.safe_dump(shipped))
    runner = CliRunner(env={**dict.fromkeys(_ours()), name: "info"})
    said = runner.invoke(main, ["check", str(file)])
    mend = f". Did you mean FAULTSTREAM_{nearest}?" if nearest else ""
    wanted = f"warning: environment: {name}: no setting has this name{mend}\n"
    assert said.exit_code == 0, said.output
    assert (wanted in said.stderr) == (nearest is not None)
    assert "got" not in said.stderr
    strict = runner.invoke(main, ["check", "--strict", str(file)])
    assert strict.exit_code == (0 if said.stderr == "" else 2)


def test_check_says_ok_or_what_is_wrong(tmp_path: Path) -> None:
    """0 and a summary, or 2 and the problems, with nothing on standard output."""
    good = CliRunner(env=dict.fromkeys(_ours())).invoke(main, ["check"])
    assert (good.exit_code, good.stderr) == (0, "")
    assert "topology.yaml: ok\n  9 topics" in good.stdout
    bad = CliRunner().invoke(main, ["check", str(BAD)])
    assert (bad.exit_code, bad.stdout) == (2, "")
    assert bad.stderr == f"error: {BAD}:2: version: wrong value; must be 1; got 2\n"


def test_check_reads_the_path_from_the_environment() -> None:
    """FAULTSTREAM_TOPOLOGY is the default, and the environment is checked too."""
    env = {"FAULTSTREAM_TOPOLOGY": str(BAD)}
    assert CliRunner(env=env).invoke(main, ["check"]).exit_code == 2
    env = {"FAULTSTREAM_METRICS_PORT": "x"}
    result = CliRunner(env=env).invoke(main, ["check"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "FAULTSTREAM_METRICS_PORT" in result.stderr


def test_a_worker_whose_port_is_taken_says_so() -> None:
    """Before it looks for a broker, with exit code 2 and the address."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        env = {"FAULTSTREAM_METRICS_PORT": str(port)}
        result = CliRunner(env=env).invoke(main, ["worker", "detect"])
    assert result.exit_code == 2
    assert f"FAULTSTREAM_METRICS_PORT: 127.0.0.1:{port}: cannot listen" in result.stderr


def test_strict_check_refuses_warnings() -> None:
    """Warnings go to standard error; with --strict they are refused."""
    warned = BAD.parents[1] / "warned" / "last-route-narrow.yaml"
    assert CliRunner().invoke(main, ["check", str(warned)]).exit_code == 0
    assert CliRunner().invoke(main, ["check", "--strict", str(warned)]).exit_code == 2
