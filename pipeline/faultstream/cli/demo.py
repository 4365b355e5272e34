"""`faultstream demo`: break a small shop, watch it recover, ask why in SQL."""

import sys

import click

from faultstream.demo.fault import FAULTS


@click.command("demo")
@click.option(
    "--fault",
    type=click.Choice(list(FAULTS)),
    default="both",
    show_default=True,
    help="What the shop's database does: answer slowly, refuse connections, or both.",
)
@click.option(
    "--seconds",
    type=click.IntRange(30, 600),
    default=90,
    show_default=True,
    help="Everything must have happened by then.",
)
@click.option("--plain", is_flag=True, help="Plain lines instead of the live view.")
@click.option("--keep", is_flag=True, help="Go on running after the tables, until Ctrl-C.")
def command(fault: str, seconds: int, *, plain: bool, keep: bool) -> None:
    """Break a small shop, watch it recover, ask why in SQL.

    Starts everything on this machine, on free ports and in a temporary folder, and ends it again.
    Exit code 0 when the fault was detected, answered with commands that were carried out, and
    verified to be cured; 1 when it was not.

    \b
    Example:  faultstream demo
              faultstream demo --fault refuse --keep
    """
    from faultstream.demo.run import Options, run  # noqa: PLC0415 - rich and aiohttp are slow

    sys.exit(run(Options(fault=fault, seconds=seconds, plain=plain, keep=keep)))
