"""`faultstream up`: broker, engine, workers and gateway on one machine, in one process."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from faultstream.cli.place import Place
from faultstream.cli.supervise import Part, PartEndedError, Supervisor, answers_http
from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.policy import Topology
from faultstream.ops import child
from faultstream.transport import embedded

ENGINE_PASSWORD: Final = "FAULTSTREAM_CLICKHOUSE_RECORDER_PASSWORD"  # noqa: S105 - its name
PORT: Final = click.IntRange(0, 65535)
WORKERS: Final = ("detect", "respond", "record", "notify")
BROKER_TIMEOUT_S: Final = 10.0
WORKERS_TIMEOUT_S: Final = 120.0


@click.command("up")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder for what is kept: ClickHouse, keys, logs. By default FAULTSTREAM_DATA.",
)
@click.option("--kafka", help="host:port[,..] of a Kafka to use instead of the embedded broker.")
@click.option("--clickhouse", help="Address of a ClickHouse to use instead of the embedded one.")
@click.option(
    "--port", default=9092, show_default=True, type=PORT, help="Of the broker; 0 takes a free one."
)
@click.option(
    "--http-port", default=8123, show_default=True, type=PORT,
    help="Of the engine; 0 takes a free one.",
)  # fmt: skip
@click.option(
    "--gateway-port", default=8124, show_default=True, type=PORT,
    help="Of the gateway; 0 takes a free one.",
)  # fmt: skip
@click.option("--logs", "show_logs", is_flag=True, help="Also print the workers' logs.")
def command(
    data: Path | None,
    kafka: str | None,
    clickhouse: str | None,
    port: int,
    http_port: int,
    *,
    gateway_port: int,
    show_logs: bool,
) -> None:
    """Run broker, engine, all workers and the gateway on this machine.

    Stops them cleanly on Ctrl-C or SIGTERM. The embedded broker forgets everything when it
    stops; what was recorded stays in the data folder.

    \b
    Example:  faultstream up
              faultstream up --kafka kafka:9092 --data /var/lib/faultstream
    """
    given = {"FAULTSTREAM_KAFKA": kafka, "FAULTSTREAM_CLICKHOUSE": clickhouse}
    env = {**os.environ, **{name: value for name, value in given.items() if value}}
    settings = Settings.from_env(env)
    topology = load(settings.topology)
    place = Place(data or settings.data)
    try:
        up = _Up(place, settings, topology, env, show_logs=show_logs)
        sys.exit(
            up.run(
                port=None if kafka else port,
                http_port=None if clickhouse else http_port,
                gateway_port=gateway_port,
            )
        )
    finally:
        place.leave()


class _Up:
    def __init__(
        self,
        place: Place,
        settings: Settings,
        topology: Topology,
        env: Mapping[str, str],
        *,
        show_logs: bool,
    ) -> None:
        self._place = place
        self._settings = settings
        self._topology = topology
        self._env = dict(env)
        self._show_logs = show_logs
        self._kafka = settings.brokers
        self._clickhouse = env.get("FAULTSTREAM_CLICKHOUSE", "")
        self._recorder = self._clickhouse
        self._password = secrets.token_urlsafe(24)
        self._gateway = ""

    def run(self, *, port: int | None, http_port: int | None, gateway_port: int) -> int:
        """The exit code. Port None: that part is elsewhere and not started here."""
        began = time.monotonic()
        key = self._env.get("FAULTSTREAM_SIGNING_KEY") or self._place.signing_key()
        port = None if port is None else _port(port, "--port")
        http_port = None if http_port is None else _port(http_port, "--http-port")
        gateway_port = _port(gateway_port, "--gateway-port")
        supervisor = Supervisor(self._place.folder / "logs", show_logs=self._show_logs)
        try:
            if port is not None:
                self._start_broker(supervisor, port)
            if http_port is not None:
                self._start_engine(supervisor, http_port)
            if port is not None and not supervisor.wait("kafka", timeout_s=BROKER_TIMEOUT_S):
                return 0
            self._create_topics(supervisor, ours=port is not None)
            for name in WORKERS:
                supervisor.start(self._worker(name, key))
            supervisor.start(self._gateway_part(gateway_port, key))
            engine = [] if http_port is None else ["clickhouse"]
            if not supervisor.wait(*engine, *WORKERS, "gateway", timeout_s=WORKERS_TIMEOUT_S):
                return 0
            click.echo(f"ready in {time.monotonic() - began:.1f} s; Ctrl-C stops everything")
            supervisor.run(lambda: self._tell(supervisor))
        except (PartEndedError, embedded.BrokerError) as exc:
            click.echo(f"faultstream up: {exc}", err=True)
            return exc.exit_code if isinstance(exc, PartEndedError) else 1
        else:
            return 0
        finally:
            self._place.forget_up()
            supervisor.stop(["gateway"], WORKERS, ["clickhouse"], ["kafka"])
            click.echo("stopped")

    def _start_broker(self, supervisor: Supervisor, port: int) -> None:
        self._kafka = f"127.0.0.1:{port}"
        part = Part(
            "kafka",
            embedded.argv_for(port),
            embedded.environment(),
            ready=lambda: embedded.answers("127.0.0.1", port),
            where=self._kafka,
            restart=False,  # its memory is gone, and with it the log that the workers' state is of
        )
        supervisor.start(part)

    def _start_engine(self, supervisor: Supervisor, port: int) -> None:
        user = f"recorder:{quote(self._password, safe='')}@"
        self._clickhouse = f"http://127.0.0.1:{port}/faultstream"
        self._recorder = f"http://{user}127.0.0.1:{port}/faultstream"
        argv = [sys.executable, "-m", "faultstream", "engine", "--port", str(port)]
        part = Part(
            "clickhouse",
            argv,
            {
                **self._env,
                "FAULTSTREAM_DATA": str(self._place.folder),
                "FAULTSTREAM_CLICKHOUSE_RECORDER_PASSWORD": self._password,
            },
            ready=lambda: answers_http(port, "/ping"),
            where=self._clickhouse,
        )
        supervisor.start(part)

    def _create_topics(self, supervisor: Supervisor, *, ours: bool) -> None:
        from faultstream.transport import topics  # noqa: PLC0415 - while the broker starts

        async def create() -> list[str]:
            await topics.wait_for_broker(self._kafka, BROKER_TIMEOUT_S)
            make = topics.renew if ours else topics.create
            return await make(self._kafka, self._topology)

        began = time.monotonic()
        try:
            created = asyncio.run(create())
        except (topics.TopicsDifferError, topics.TopicRefusedError) as exc:
            raise PartEndedError(f"topics: {exc}", 2) from exc
        text = f"{len(topics.wanted(self._topology))} there, {len(created)} of them new"
        supervisor.say("topics", f"ready in {time.monotonic() - began:4.1f} s  {text}")

    def _worker(self, name: str, key: str) -> Part:
        port = child.free_port()
        env = {
            **self._env,
            "FAULTSTREAM_KAFKA": self._kafka,
            "FAULTSTREAM_CLICKHOUSE": self._recorder if name == "record" else self._clickhouse,
            "FAULTSTREAM_DATA": str(self._place.folder),
            "FAULTSTREAM_METRICS_PORT": str(port),
            "FAULTSTREAM_METRICS_HOST": "127.0.0.1",
        }
        if name == "respond":
            env["FAULTSTREAM_SIGNING_KEY"] = key
        else:
            env.pop("FAULTSTREAM_SIGNING_KEY", None)
            env.pop("FAULTSTREAM_SIGNING_KEYS_ACCEPTED", None)
        argv = [sys.executable, "-m", "faultstream", "worker", name]
        return Part(
            name,
            argv,
            env,
            ready=lambda: answers_http(port, "/-/ready"),
            where=f"http://127.0.0.1:{port}/metrics",
        )

    def _gateway_part(self, port: int, key: str) -> Part:
        """On loopback, so that whoever is on this machine may send and read; steering needs the
        token in the folder, unless others are given."""
        self._gateway = f"http://127.0.0.1:{port}"
        operators = self._env.get("FAULTSTREAM_GATEWAY_OPERATORS", "").strip()
        env = {
            **self._env,
            "FAULTSTREAM_KAFKA": self._kafka,
            "FAULTSTREAM_CLICKHOUSE": self._clickhouse,
            "FAULTSTREAM_DATA": str(self._place.folder),
            "FAULTSTREAM_GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "FAULTSTREAM_GATEWAY_OPERATORS": operators
            or f"operator={self._place.operator_token()}",
            "FAULTSTREAM_SIGNING_KEY": key,  # to ask clients what is in force in them
        }
        return Part(
            "gateway",
            [sys.executable, "-m", "faultstream", "gateway"],
            env,
            ready=lambda: answers_http(port, "/-/ready"),
            where=self._gateway,
        )

    def _tell(self, supervisor: Supervisor) -> None:
        self._place.write_up(
            {
                "kafka": self._kafka,
                "clickhouse": self._clickhouse,
                "gateway": self._gateway,
                "pids": {"up": os.getpid(), **supervisor.pids},
            }
        )


def _port(port: int, option: str) -> int:
    if port == 0:
        return child.free_port()
    if not child.is_free(port):
        raise ConfigError(
            "command line",
            option,
            f"port {port} on 127.0.0.1 is taken",
            mend=f"End what listens there, or let {option} 0 take a free one",
        )
    return port
