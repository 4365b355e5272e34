"""The action `command`: a program of this machine that executor.yaml allows, never a shell.

What a strategy may run is fixed; of a command come only values, each checked by the strategy's
types. The program and its process group end with the time limit, when the executor stops, and
(on Linux, the program itself) when the executor is killed. May not be repeated: one call is one
run.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from typing import Any, Final, Self

from faultstream.client import Outcome, RecoveryCommand
from faultstream.core.scrub import scrub_text
from faultstream.executors import parameters
from faultstream.executors.policy import CommandPolicy, Status
from faultstream.ops import child

MAX_OUTPUT_BYTES: Final = 4_096
"""Kept of what a program prints: the end of it."""
PASSED: Final = ("PATH", "LANG")
PREFIX: Final = "FAULTSTREAM_"
_LEFT_BEHIND_S: Final = 1.0
_READ_BYTES: Final = 65_536


class LocalCommand:
    """See the module. Exit code 0 is success, others are failed, or what `exit_codes` says; a
    command whose parameters cannot be used, or whose program is not there, is not_attempted."""

    def __init__(self, policy: CommandPolicy, env: Mapping[str, str]) -> None:
        self._policy = policy
        passed = (*PASSED, *policy.pass_env)
        self._env = {**{name: env[name] for name in passed if name in env}, **policy.env}

    @property
    def longest_ms(self) -> int:
        """Its time and the grace that follows."""
        return self._policy.timeout_ms + self._policy.grace_ms + int(_LEFT_BEHIND_S * 1000)

    @property
    def undoes(self) -> bool:
        """Whether there is a program for it."""
        return self._policy.undo_argv is not None

    async def __call__(self, command: RecoveryCommand) -> Outcome:
        """What came of it."""
        policy = self._policy
        templates = policy.argv
        if command.rollback_of and policy.undo_argv is not None:
            templates = policy.undo_argv
        try:
            words = parameters.words(command)
            argv = parameters.filled(templates, words)
        except parameters.ParameterError as exc:
            return Outcome("not_attempted", f"parameters: {exc}")
        if not os.access(argv[0], os.X_OK):
            return Outcome("not_attempted", f"{argv[0]} is no program that may be run")
        with _Output() as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *child.tied(argv),
                    cwd=self._policy.cwd,
                    env={**self._env, **_variables(words)},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output.end,
                    stderr=asyncio.subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as exc:
                return Outcome("not_attempted", f"not started: {exc.strerror or exc}")
            return await self._attend(process, output)

    async def close(self) -> None:
        """It keeps nothing."""

    async def _attend(self, process: asyncio.subprocess.Process, output: "_Output") -> Outcome:
        reading = asyncio.create_task(output.read())
        in_time = True
        try:
            try:
                async with asyncio.timeout(self._policy.timeout_ms / 1000):
                    await process.wait()
            except TimeoutError:
                in_time = False
                await self._end(process)
            done, _ = await asyncio.wait({reading}, timeout=_LEFT_BEHIND_S)
            if not done:  # something it left behind still holds its output
                _signal(process.pid, signal.SIGKILL)
        finally:
            reading.cancel()
            if process.returncode is None:
                _signal(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
        shown = output.shown()
        details: dict[str, Any] = {"output": shown} if shown else {}
        code = process.returncode or 0
        if not in_time:
            text = f"ended after {self._policy.timeout_ms} ms"
            return Outcome("failed", text, details)
        text = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
        kind: Status = "success" if code == 0 else "failed"
        return Outcome(self._policy.exit_codes.get(str(code), kind), text, details)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """SIGTERM to the group, then SIGKILL."""
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._policy.grace_ms / 1000):
                await process.wait()
        _signal(process.pid, signal.SIGKILL)  # the program or what it left in its group
        await process.wait()


class _Output:
    """A pipe of our own: asyncio's would have the end of the program wait for the end of all that
    hold its output."""

    def __init__(self) -> None:
        self._tail = bytearray()

    def __enter__(self) -> Self:
        self._reading, self.end = os.pipe()
        return self

    def __exit__(self, *_: object) -> None:
        self._shut()
        os.close(self._reading)

    async def read(self) -> None:
        """Keep the end of what is printed, until nobody can print more."""
        self._shut()
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        pipe = os.fdopen(os.dup(self._reading), "rb", 0)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while chunk := await reader.read(_READ_BYTES):
                self._tail += chunk
                if len(self._tail) > MAX_OUTPUT_BYTES + 1:  # one more, so that a cut shows
                    del self._tail[: len(self._tail) - MAX_OUTPUT_BYTES - 1]
        finally:
            transport.close()

    def shown(self) -> str:
        """What was kept, without secrets."""
        kept = bytes(self._tail[-MAX_OUTPUT_BYTES:]).decode("utf-8", "replace")
        text = scrub_text(kept).strip()
        return f"[cut]{text}" if len(self._tail) > MAX_OUTPUT_BYTES else text

    def _shut(self) -> None:
        """Let go of the program's end; only the program holds it then."""
        if self.end >= 0:
            os.close(self.end)
            self.end = -1


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _variables(words: Mapping[str, str]) -> dict[str, str]:
    """What a template may name, as variables."""
    always = {PREFIX + name.upper(): words[name] for name in parameters.ALWAYS}
    return always | {
        f"{PREFIX}PARAMETER_{name.upper()}": value
        for name, value in words.items()
        if name not in parameters.ALWAYS
    }
