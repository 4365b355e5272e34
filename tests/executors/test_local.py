"""Local programs get values, never text of a program, and end when their time is over."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from faultstream.client import Outcome
from faultstream.executors.local import MAX_OUTPUT_BYTES, LocalCommand
from faultstream.executors.policy import CommandPolicy
from tests.client.topics import command
from tests.until import until_async

SHOW = "import os, sys; print('|'.join(sys.argv[1:])); print(sorted(os.environ))"
ENV = {"PATH": os.environ["PATH"], "FAULTSTREAM_SIGNING_KEY": "secret", "HOME": "/home/ann"}


def program(code: str, *arguments: str, **more: Any) -> LocalCommand:
    """A Python program as a local command."""
    argv = (sys.executable, "-I", "-c", code, *arguments)
    return LocalCommand(CommandPolicy(argv=argv, **more), ENV)


async def test_parameters_are_arguments_and_variables() -> None:
    """With the strategy's defaults filled in; the program sees nothing else of our environment."""
    local = program(SHOW, "{graceful_ms}", "--who={service}", pass_env=("HOME",), env={"A": "1"})
    outcome = await local(command("service_restart", parameters={"health_check": False}))
    assert (outcome.status, outcome.message) == ("success", "exit code 0")
    shown, names = outcome.details["output"].splitlines()
    assert shown == "30000|--who=orders"
    assert "FAULTSTREAM_SIGNING_KEY" not in names
    for name in ("A", "HOME", "FAULTSTREAM_COMMAND_ID", "FAULTSTREAM_PARAMETER_HEALTH_CHECK"):
        assert f"'{name}'" in names


async def test_an_undo_has_a_line_of_its_own() -> None:
    """It is run for commands that take back, and gets the same parameters."""
    argv = (sys.executable, "-I", "-c", SHOW)
    there, back = (*argv, "up", "{factor}"), (*argv, "down", "{factor}", "{rollback_of}")
    local = LocalCommand(CommandPolicy(argv=there, undo_argv=back), ENV)
    assert local.undoes
    for first, shown in (("", "up|2.0"), ("c-1", "down|2.0|c-1")):
        order = command("resource_scale", parameters={"factor": 2.0}, rollback_of=first)
        outcome = await local(order)
        assert outcome.details["output"].splitlines()[0] == shown
    assert not program(SHOW).undoes


@pytest.mark.parametrize(
    "value", ["x; touch {file}", "$(touch {file})", "`touch {file}`", "x|touch {file}", "'\"*?~"]
)
async def test_there_is_no_shell(value: str, tmp_path: Path) -> None:
    """Whatever a shell would make of it arrives as one argument, as it is."""
    file = tmp_path / "touched"
    given = value.format(file=file)
    outcome = await program(SHOW, "{pattern}")(
        command("cache_clear", parameters={"pattern": given})
    )
    assert outcome.details["output"].splitlines()[0] == given
    assert not file.exists()


@pytest.mark.parametrize(
    ("strategy", "given", "why"),
    [
        ("cache_clear", {"pattern": "--help"}, "pattern begins with '-'"),
        ("cache_clear", {"pattern": "a\x00b"}, "pattern has control characters"),
        ("cache_clear", {"pattern": "a\nb"}, "pattern has control characters"),
        ("cache_clear", {"pattern": 5}, "Expected `str`, got `int`"),
        ("cache_clear", {"pattern": "x" * 501}, "length <= 500"),
        ("mine", {"pattern": {"a": 1}}, "pattern is no single value"),
        ("mine", {"pattern": "x" * 501}, "pattern has 501 characters"),
        ("mine", {"LD_PRELOAD": "x", "pattern": ""}, "'LD_PRELOAD' is no name of a parameter"),
        ("mine", {}, "pattern is not set"),
    ],
)
async def test_other_parameters_run_nothing(strategy: str, given: dict[str, Any], why: str) -> None:
    """Values of a wrong type, out of bounds or dangerous are refused before anything starts."""
    outcome = await program("raise SystemExit(3)", "{pattern}")(command(strategy, parameters=given))
    assert outcome.status == "not_attempted"
    assert why in outcome.message


async def test_unknown_parameters_of_a_built_in_strategy_are_left_out() -> None:
    """A newer pipeline may send more than this executor knows."""
    given = {"pattern": "a", "newer": "--x"}
    outcome = await program(SHOW, "{pattern}")(command("cache_clear", parameters=given))
    assert outcome.status == "success"
    assert "NEWER" not in outcome.details["output"]


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("raise SystemExit(0)", "success", "exit code 0"),
        ("raise SystemExit(1)", "failed", "exit code 1"),
        ("raise SystemExit(75)", "partial", "exit code 75"),
        ("import os; os.kill(os.getpid(), 9)", "failed", "ended by signal 9"),
    ],
)
async def test_exit_codes(code: str, status: str, message: str) -> None:
    """0 is success, others failed, unless exit_codes says else."""
    outcome = await program(code, exit_codes={"75": "partial"})(command())
    assert (outcome.status, outcome.message) == (status, message)


async def test_output_is_cut_and_scrubbed() -> None:
    """The end of it is kept, without secrets."""
    code = "print('a' * 100_000); print('password=hunter2 done')"
    outcome = await program(code)(command())
    shown = outcome.details["output"]
    assert len(shown) < MAX_OUTPUT_BYTES + 20  # the mask is longer than what it masks
    assert shown.startswith("[cut]aaa")
    assert shown.endswith("done")
    assert "hunter2" not in shown


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
time.sleep(600)
"""


async def test_the_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    """A program that ignores SIGTERM, and its child, are gone when the outcome is told."""
    file = tmp_path / "pids"
    local = program(STUBBORN, str(file), timeout_ms=1_500, grace_ms=50)
    outcome = await local(command())
    assert outcome == Outcome("failed", "ended after 1500 ms")
    pids = [int(line) for line in file.read_text().split()]
    assert len(pids) == 2

    async def gone() -> bool:
        return not any(_runs(pid) for pid in pids)

    await until_async(gone, "both are gone")


async def test_cancelling_ends_it(tmp_path: Path) -> None:
    """An executor that stops leaves no program behind."""
    file = tmp_path / "pids"
    task = asyncio.create_task(program(STUBBORN, str(file))(command()))

    async def both_run() -> bool:
        return file.exists() and len(file.read_text().split()) == 2

    await until_async(both_run, "it runs")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    pids = [int(line) for line in file.read_text().split()]

    async def gone() -> bool:
        return not any(_runs(pid) for pid in pids)

    await until_async(gone, "both are gone")


async def test_a_child_that_keeps_the_output_open_is_not_waited_for() -> None:
    """What a program leaves behind in its group is ended with it."""
    code = "import os, time\nif os.fork() == 0: time.sleep(600)\nelse: print('started')"
    outcome = await program(code)(command())
    assert (outcome.status, outcome.details) == ("success", {"output": "started"})


async def test_a_missing_program() -> None:
    """Is not attempted, and says which."""
    local = LocalCommand(CommandPolicy(argv=("/nonexistent/restart",)), ENV)
    outcome = await local(command())
    assert outcome == Outcome("not_attempted", "/nonexistent/restart is no program that may be run")
