"""Writing a report to a file: as Markdown, or as a page when the file's name ends in .html."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

PAGES: Final = frozenset({".html", ".htm"})


def write(output: Path, report: Callable[[str], str], picture: str = "") -> None:
    """`report` gets the name of the picture's file, "" when there is none. A page holds the
    picture itself; beside Markdown it is written as SVG.

    Raises:
        click.ClickException: it cannot be written.
    """
    image = output.with_suffix(".svg") if picture else None
    name = image.name.replace(" ", "%20") if image is not None else ""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.suffix.lower() in PAGES:
            from faultstream.core.report.page import page  # noqa: PLC0415 - `--help` must be quick

            output.write_text(page(report(name), picture), "utf-8")
            return
        output.write_text(report(name), "utf-8")
        if image is not None:
            image.write_text(picture, "utf-8")
    except OSError as exc:
        raise click.ClickException(f"{output}: cannot be written: {exc.strerror or exc}") from exc
