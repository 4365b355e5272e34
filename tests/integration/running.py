"""A whole pipeline for tests: `faultstream up` as a process, a plain producer, questions in SQL."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaProducer

from tests.kafka import ApacheKafka
from tests.until import until

KEY: Final = b"a signing key for tests only"
START_S: Final = 60.0
ERRORS: Final = "faultstream.errors.v1"


class Pipeline:
    """`faultstream up` in a folder; ends with the block, and nothing of it stays."""

    def __init__(self, folder: Path, *, kafka: str | None = None) -> None:
        """`kafka` None: with the embedded broker."""
        self.folder = folder
        self._kafka = kafka
        self.node: ApacheKafka | None = None
        """The node behind `kafka`, for tests that stop it."""
        self._out = folder / "up.out"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start and wait until everything is ready."""
        argv = [sys.executable, "-m", "faultstream", "up", "--data", str(self.folder / "data")]
        argv += ["--port", "0", "--http-port", "0", "--gateway-port", "0"]
        argv += [] if self._kafka is None else ["--kafka", self._kafka]
        env = {**os.environ, "FAULTSTREAM_SIGNING_KEY": KEY.decode()}
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._out.open("ab") as out:
            self._process = subprocess.Popen(argv, env=env, stdout=out, stderr=out)
        until(self._ready, "faultstream up is ready", timeout_s=START_S)

    def _ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"faultstream up ended: {self._out.read_text()}")
        return (self.folder / "data" / "up.json").exists()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    @property
    def up(self) -> dict[str, Any]:
        """What up.json says now."""
        text = (self.folder / "data" / "up.json").read_text()
        found: dict[str, Any] = json.loads(text)
        return found

    @property
    def brokers(self) -> str:
        """host:port of the broker."""
        return str(self.up["kafka"])

    def output(self) -> str:
        """What `up` printed so far."""
        return self._out.read_text()

    def signal(self, part: str, number: int) -> None:
        """Send a signal to one part."""
        os.kill(self.up["pids"][part], number)

    def kill(self, part: str) -> None:
        """SIGKILL to a part that runs; the supervisor starts it again."""
        until(lambda: part in self.up["pids"], f"{part} runs", timeout_s=60)
        before = self.up["pids"][part]
        os.kill(before, signal.SIGKILL)
        until(lambda: self.up["pids"].get(part) != before, f"{part} was seen to end")

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Rows of a query, asked as the user who may only read. Empty while the engine is away."""
        url = self.up["clickhouse"]
        body = f"{query} FORMAT JSONEachRow".encode()
        base, _, database = url.rpartition("/")
        headers = {"X-ClickHouse-Database": database}
        request = urllib.request.Request(base + "/", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return [json.loads(line) for line in answer.read().splitlines()]
        except urllib.error.HTTPError as exc:
            raise AssertionError(f"{query}: {exc.read().decode()}") from exc
        except OSError:
            return []

    def value(self, query: str) -> Any:
        """The only value of a query; None when there is no row."""
        rows = self.sql(query)
        return next(iter(rows[0].values())) if rows else None


class Producer:
    """A plain producer, as another language would have it: bytes, no headers, no ids."""

    def __init__(self, brokers: str) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=brokers, acks="all", linger_ms=5, max_request_size=16_000_000
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(self, *values: bytes, key: str | None = None, topic: str = ERRORS) -> None:
        """Publish and wait until all of it is stored."""
        raw = None if key is None else key.encode()
        futures = [await self._producer.send(topic, value, key=raw) for value in values]
        for future in futures:
            await future


def error(service: str, error_type: str, message: str = "", **more: Any) -> bytes:
    """An error event as JSON."""
    event = {"service": service, "error_type": error_type, "message": message, **more}
    return json.dumps(event).encode()
