"""Where a command finds Kafka and the topology: the two options that most commands have."""

import json
import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

BROKERS_HELP: Final = (
    "host:port[,..]; by default FAULTSTREAM_KAFKA, else those of the `up` that runs in "
    "FAULTSTREAM_DATA."
)


def topology_option(name: str = "file") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--topology, a path or None, which the command gets as `name`."""
    return click.option(
        "--topology",
        name,
        type=click.Path(path_type=Path),
        help="topology.yaml; by default FAULTSTREAM_TOPOLOGY, else the one in the package.",
    )


def place(function: Callable[..., None]) -> Callable[..., None]:
    """Adds --brokers and --topology to a command, which gets `brokers` and `file`."""

    @topology_option()
    @click.option("--brokers", help=BROKERS_HELP)
    @wraps(function)
    def placed(*arguments: Any, brokers: str | None, **more: Any) -> None:
        function(*arguments, brokers=brokers or running(), **more)

    return placed


def running() -> str | None:
    """The broker of the `faultstream up` that runs in the data folder, unless the environment names
    one."""
    if os.environ.get("FAULTSTREAM_KAFKA", "").strip():
        return None
    folder = Path(os.environ.get("FAULTSTREAM_DATA", "").strip() or ".faultstream")
    try:
        up = json.loads((folder / "up.json").read_text("utf-8"))
        os.kill(up["pids"]["up"], 0)  # one that was killed left its file
        return str(up["kafka"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
