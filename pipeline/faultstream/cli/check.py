"""`faultstream check`: validates the configuration, connects to nothing."""

from pathlib import Path

import click

from faultstream.config.settings import Settings
from faultstream.config.topology import load


@click.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def command(file: Path | None) -> None:
    """Validate topology.yaml and the environment without connecting anywhere.

    FILE is the topology; by default FAULTSTREAM_TOPOLOGY, or else the one in the package.

    \b
    Example:  faultstream check topology.yaml
    """
    settings = Settings.from_env()
    load(file or settings.topology)
    click.echo("ok")
