"""`faultstream top`: how things stand, in a terminal; the facts of the live page."""

import sys
import time
from pathlib import Path

import click

from faultstream.cli.duration import DURATION
from faultstream.cli.reading import reading, where
from faultstream.config.settings import Settings
from faultstream.config.topology import load


@click.command("top")
@click.option("--once", is_flag=True, help="Print it once and end; so it is without a terminal.")
@click.option(
    "--every", "every_ms", type=DURATION, default="2s", show_default=True, help="How often."
)
@where
def command(*, once: bool, every_ms: int, data: Path | None, clickhouse: str | None) -> None:
    """Show how things stand: services with their health and why, incidents and what is being done
    about them, what commands hold, open patterns. Ends with Ctrl-C.

    \b
    Example:  faultstream top
              faultstream top --once
    """
    from rich.console import Console  # noqa: PLC0415 - as in `reading`
    from rich.live import Live as Screen  # noqa: PLC0415

    from faultstream.analytics.errors import SinkAway  # noqa: PLC0415
    from faultstream.analytics.live import facts  # noqa: PLC0415
    from faultstream.cli.top_view import trouble, view  # noqa: PLC0415
    from faultstream.core.report.live import judge  # noqa: PLC0415

    topology = load(Settings.from_env().topology)
    console = Console(highlight=False)
    with reading(clickhouse, data) as connection:
        shown = view(judge(facts(connection), topology), console.size)
        if once or not sys.stdout.isatty():
            console.print(shown)
            return
        with Screen(shown, console=console, screen=True, auto_refresh=False) as screen:
            try:
                while True:
                    time.sleep(every_ms / 1_000)
                    try:
                        shown = view(judge(facts(connection), topology), console.size)
                    except SinkAway as exc:
                        shown = trouble(shown, str(exc))
                    screen.update(shown, refresh=True)
            except KeyboardInterrupt:
                return
