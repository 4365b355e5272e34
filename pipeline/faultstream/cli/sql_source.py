"""Which ClickHouse a question goes to, and a connection to it for reading."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from faultstream.analytics.client import Address, Connection
from faultstream.analytics.errors import DataFolderBusy, SinkAway
from faultstream.analytics.serve import EngineProcess
from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings

TIMEOUT_S = 300.0


@contextmanager
def open_source(clickhouse: str | None, data: Path | None) -> Iterator[Connection]:
    """A connection to the server given, or to what runs or lies in the data folder.

    Raises:
        ConfigError: no address, or the folder is open in a process that does not answer.
        SinkAway: nothing is there to ask.
    """
    if clickhouse:
        yield from _connected(_parsed(clickhouse, "--clickhouse"))
        return
    settings = Settings.from_env()
    if data is None and os.environ.get("FAULTSTREAM_CLICKHOUSE", "").strip():
        yield from _connected(_parsed(os.environ["FAULTSTREAM_CLICKHOUSE"], "environment"))
        return
    folder = data or settings.data
    running = _running(folder)
    if running is not None:
        yield from _connected(running)
        return
    if not (folder / "clickhouse").is_dir():
        raise SinkAway(
            f"nothing runs or is stored in {folder.absolute()}; start `faultstream up`, or name "
            "a folder with --data or a server with --clickhouse"
        )
    yield from _at_rest(folder)


def _parsed(text: str, where: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as exc:
        raise ConfigError(
            where, "FAULTSTREAM_CLICKHOUSE", "no address", bound=str(exc).removeprefix("expected ")
        ) from exc


def _running(folder: Path) -> Address | None:
    """What up.json names; None when there is none, or it was left behind by a crash."""
    try:
        up = json.loads((folder / "up.json").read_text("utf-8"))
        address = Address.parse(up["clickhouse"])
        connection = Connection(address, timeout_s=5)
        try:
            connection.rows("SELECT 1")
        finally:
            connection.close()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return address


def _connected(address: Address) -> Iterator[Connection]:
    connection = Connection(address, timeout_s=TIMEOUT_S)
    try:
        yield connection
    finally:
        connection.close()


def _at_rest(folder: Path) -> Iterator[Connection]:
    """The engine as a child for as long as the question takes; only its reader is used."""
    engine = EngineProcess(folder)
    try:
        try:
            engine.start()
        except DataFolderBusy as exc:
            mend = "Wait until it is ready, end it, or ask it with --clickhouse ADDRESS"
            raise ConfigError(str(folder), "", str(exc), mend=mend) from exc
        click.echo(f"asking {folder.absolute()}, in which nothing runs", err=True)
        yield from _connected(engine.address(writer=False))
    finally:
        engine.stop()
