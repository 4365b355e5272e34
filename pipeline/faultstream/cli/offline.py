"""What the offline commands share: JSON Lines in, JSON Lines out, bad lines told and counted."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import click

from faultstream.cli.where import topology_option
from faultstream.config.settings import Settings
from faultstream.config.topology import load
from faultstream.core.errors import DataError
from faultstream.core.policy import Topology

EXIT_BAD_LINES: Final = 1
_SHOWN: Final = 100

source = click.argument("file", type=click.File("rb"), default="-")
target = click.option(
    "-o", "--output", type=click.File("wb"), default="-", help="A path; standard output by default."
)
topology = topology_option("topology_file")


def load_topology(path: Path | None) -> Topology:
    """The topology to work with.

    Raises:
        ConfigError: it cannot be used.
    """
    return load(path or Settings.from_env().topology)


class Lines:
    """The lines of a file. Empty ones are skipped; `bad` counts those that were refused."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.bad = 0

    def read(self, decode: Callable[[bytes], Any]) -> Iterator[tuple[int, Any]]:
        """(line number from 1, decoded line) of every line that `decode` takes.

        A line for which it raises DataError is told on standard error with its number.
        """
        for number, raw in enumerate(self._file, 1):
            line = raw.strip()
            if not line:
                continue
            try:
                yield number, decode(line)
            except DataError as exc:
                self.bad += 1
                if self.bad <= _SHOWN:
                    click.echo(f"line {number}: {exc.stage}: {exc.reason}", err=True)

    def end(self) -> None:
        """Exits with 1 if there were bad lines, and says how many."""
        if self.bad:
            click.echo(f"{self.bad} bad line{'s' if self.bad > 1 else ''}", err=True)
            raise click.exceptions.Exit(EXIT_BAD_LINES)
