"""The whole pipeline for the demo: `faultstream up` as a child process, in a folder of its own."""

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from faultstream.ops import child

STOP_GRACE_S: Final = 25.0


class PipelineError(RuntimeError):
    """`faultstream up` did not start or has ended; says why and where its logs are."""


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `over` says: mappings are merged, everything else is replaced."""
    result = dict(base)
    for name, value in over.items():
        old = result.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            result[name] = merged(old, value)
        else:
            result[name] = value
    return result


def topology_text() -> str:
    """The packaged topology.yaml with demo/overlay.yaml laid over it."""
    package = files("faultstream")
    base = yaml.safe_load(package.joinpath("topology.yaml").read_text("utf-8"))
    over = yaml.safe_load(package.joinpath("demo", "overlay.yaml").read_text("utf-8"))
    return yaml.safe_dump(merged(base, over), sort_keys=False)


class Pipeline:
    """Broker, engine and workers below one process, which ends with this one however that ends."""

    def __init__(self, folder: Path) -> None:
        """`folder` gets the data, the logs and the topology; it must exist and be ours."""
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0
        self.folder = folder
        self.logs = folder / "data" / "logs"
        self.topology = folder / "topology.yaml"
        self.signing_key = secrets.token_hex(32)
        kafka, http, gateway = _ports(3)
        self.brokers = f"127.0.0.1:{kafka}"
        self.clickhouse = f"http://127.0.0.1:{http}/faultstream"
        self.gateway = f"http://127.0.0.1:{gateway}"
        self._argv = [sys.executable, "-m", "faultstream", "up", "--data", str(folder / "data")]
        self._argv += ["--port", str(kafka), "--http-port", str(http)]
        self._argv += ["--gateway-port", str(gateway)]

    def start(self) -> None:
        """Start everything without waiting. From the main thread."""
        self.topology.write_text(topology_text(), "utf-8")
        env = {
            key: value for key, value in os.environ.items() if not key.startswith("FAULTSTREAM_")
        }
        env |= {
            "FAULTSTREAM_TOPOLOGY": str(self.topology),
            "FAULTSTREAM_SIGNING_KEY": self.signing_key,
            "PYTHONUNBUFFERED": "1",
        }
        with self._log.open("ab") as log:
            self._process = child.spawn(self._argv, env=env, stdout=log, name="faultstream up")

    @property
    def _log(self) -> Path:
        return self.folder / "up.log"

    async def ready(self, *, timeout_s: float) -> None:
        """Return when all parts are ready.

        Raises:
            PipelineError: it ended, or was not ready in time.
        """
        deadline = time.monotonic() + timeout_s
        while not (self.folder / "data" / "up.json").exists():
            self.check()
            if time.monotonic() > deadline:
                raise PipelineError(
                    f"the pipeline is not ready after {timeout_s:g} s; see {self._log}"
                )
            await asyncio.sleep(0.1)

    def check(self) -> None:
        """Raises:
        PipelineError: it has ended by itself.
        """
        if self._process is not None and (code := self._process.poll()) is not None:
            last = self._log.read_text("utf-8", "replace").strip().rpartition("\n")[2]
            raise PipelineError(
                f"faultstream up ended with exit code {code}: {last or 'it said nothing'} "
                f"(logs: {self.folder})"
            )

    def said(self) -> list[str]:
        """The whole lines that it has printed since the last call."""
        if not self._log.exists():
            return []
        with self._log.open("rb") as log:
            log.seek(self._read)
            text, newline, _ = log.read().rpartition(b"\n")
        self._read += len(text) + len(newline)
        return text.decode("utf-8", "replace").splitlines()

    def stop(self) -> None:
        """SIGTERM, SIGKILL after `STOP_GRACE_S`. May repeat."""
        if self._process is not None:
            child.stop(self._process, grace_s=STOP_GRACE_S)


def _ports(count: int) -> list[int]:
    found: dict[int, None] = {}
    while len(found) < count:
        found[child.free_port()] = None
    return list(found)
