"""Starts the shop's processes, asks them how they are, switches the fault, ends them."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from faultstream import wire
from faultstream.demo.fault import Fault
from faultstream.demo.process import ENV_SETUP, ROLES, Setup, State, state_port
from faultstream.ops import child

READY_TIMEOUT_S: Final = 20.0
STOP_GRACE_S: Final = 4.0


class FleetError(RuntimeError):
    """A process of the shop did not start or has ended; says which and where its log is."""


def new_ports() -> dict[str, int]:
    """A free loopback port for the database and for each role's HTTP."""
    names = ["database", *(f"{role}.http" for role in ROLES)]
    ports: dict[str, int] = {}
    while len(ports) < len(names):
        port = child.free_port()
        if port not in ports.values():
            ports[names[len(ports)]] = port
    return ports


class Fleet:
    """The shop as child processes, which end with this process however that ends."""

    def __init__(self, setup: Setup, logs: Path, *, secrets: dict[str, str] | None = None) -> None:
        """`logs` is a folder for one file per role; `secrets` are environment variables."""
        self.setup = setup
        self._logs = logs
        self._secrets = secrets or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._session: aiohttp.ClientSession | None = None

    def start(self, roles: tuple[str, ...] = ROLES) -> None:
        """Start the processes, all at once, without waiting. From the main thread."""
        setup = wire.dumps(msgspec.to_builtins(self.setup)).decode()
        env = {**os.environ, **self._secrets, ENV_SETUP: setup}
        for role in roles:
            with (self._logs / f"{role}.log").open("ab") as log:
                self._processes[role] = child.spawn(
                    [sys.executable, "-m", "faultstream.demo.process", role],
                    env=env,
                    stdout=log,
                    name=role,
                )

    async def ready(self, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Return when every process answers.

        Raises:
            FleetError: one ended, or did not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self.check()
            silent = set(self._processes) - set(await self.states())
            if not silent:
                return
            if time.monotonic() > deadline:
                raise FleetError(
                    f"no answer within {timeout_s:g} s from {', '.join(silent)}; logs: {self._logs}"
                )
            await asyncio.sleep(0.1)

    @property
    def running(self) -> set[str]:
        """The roles whose processes run."""
        return {role for role, process in self._processes.items() if process.poll() is None}

    def check(self) -> None:
        """Raises:
        FleetError: a process has ended by itself.
        """
        for role, process in self._processes.items():
            if (code := process.poll()) is not None:
                raise FleetError(f"{role} ended with exit code {code}; see {self._logs}/{role}.log")

    async def states(self) -> dict[str, State]:
        """What each process says of itself; those that do not answer within 1 s are left out."""
        states = await asyncio.gather(*(self._state(role) for role in self._processes))
        return {state.role: state for state in states if state is not None}

    async def _state(self, role: str) -> State | None:
        url = f"http://127.0.0.1:{state_port(self.setup, role)}/state"
        try:
            async with self._http().get(url) as response:
                return msgspec.convert(wire.loads(await response.read()), State)
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def set_fault(self, fault: Fault) -> None:
        """Make the database behave like that from now on.

        Raises:
            FleetError: it did not answer.
        """
        url = f"http://127.0.0.1:{state_port(self.setup, 'database')}/fault"
        try:
            async with self._http().post(url, data=wire.dumps(msgspec.to_builtins(fault))) as done:
                done.raise_for_status()
        except (aiohttp.ClientError, TimeoutError) as exc:
            raise FleetError(f"the database does not take the fault: {exc!r}") from exc

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.0))
        return self._session

    async def close(self) -> None:
        """End every process, the shoppers first; SIGKILL after `STOP_GRACE_S`. May repeat."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        # One after the other, callers before callees: an end looks like a fault to a caller.
        for role in reversed(ROLES):
            if role in self._processes:
                child.stop(self._processes[role], grace_s=STOP_GRACE_S)
