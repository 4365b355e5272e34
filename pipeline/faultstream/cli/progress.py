"""Progress of long work: one line on stderr that is written over, on a terminal only."""

import sys

import click


def wanted() -> bool:
    """Whether somebody sees it."""
    return sys.stderr.isatty()


def tell(words: str) -> None:
    """Shows how far the work is, in place of what was shown before."""
    if wanted():
        click.echo(f"\r\033[K{words}", nl=False, err=True)


def clear() -> None:
    """Leaves the line empty, for what is said next."""
    tell("")
