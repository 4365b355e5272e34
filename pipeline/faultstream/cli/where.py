"""Where a command finds Kafka and the topology: the two options that most commands have."""

from collections.abc import Callable
from pathlib import Path

import click


def place(function: Callable[..., None]) -> Callable[..., None]:
    """Adds --brokers and --topology to a command, which gets `brokers` and `file`."""
    function = click.option(
        "--topology",
        "file",
        type=click.Path(path_type=Path),
        help="topology.yaml; by default FAULTSTREAM_TOPOLOGY, else the one in the package.",
    )(function)
    return click.option("--brokers", help="host:port[,..]; by default FAULTSTREAM_KAFKA.")(function)
