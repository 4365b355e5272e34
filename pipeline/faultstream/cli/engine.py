"""`faultstream engine`: the embedded ClickHouse engine alone, until SIGTERM."""

import os
import secrets
import sys
from pathlib import Path

import click

from faultstream.config.errors import ConfigError
from faultstream.config.settings import Settings


@click.command("engine")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Folder that keeps what is stored. By default FAULTSTREAM_DATA.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8123, show_default=True, type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)  # fmt: skip
def command(data: Path | None, host: str, port: int) -> None:
    """Run the embedded ClickHouse engine alone, until Ctrl-C or SIGTERM.

    It serves ClickHouse's HTTP interface. The user `default` has no password and may only read;
    `recorder` may write, with the password in FAULTSTREAM_CLICKHOUSE_RECORDER_PASSWORD; when
    that is not set, one is drawn and printed.

    \b
    Example:  faultstream engine --port 8123
              curl 'http://127.0.0.1:8123/?query=SELECT+1'
    """
    # chDB takes a quarter of a second to import, and `faultstream --help` must not pay for it.
    from faultstream.analytics import serve  # noqa: PLC0415
    from faultstream.analytics.errors import DataFolderBusy, SinkRefused  # noqa: PLC0415

    folder = data or Settings.from_env().data
    given = os.environ.get(serve.PASSWORD, "")
    password = given or secrets.token_urlsafe(24)

    def ready(taken: int) -> None:
        click.echo(f"http://{host}:{taken}/{serve.DATABASE}, data in {folder.absolute()}")
        if not given:
            click.echo(f"recorder's password, for this run only: {password}")
        sys.stdout.flush()

    try:
        serve.serve(folder, host=host, port=port, password=password, ready=ready)
    except (DataFolderBusy, SinkRefused) as exc:
        raise ConfigError(str(folder), "", str(exc)) from exc
    except OSError as exc:
        problem = f"cannot listen on {host}:{port}: {exc.strerror or exc}"
        raise ConfigError("command line", "--port", problem) from exc
