"""Data: the folder of real data sets, which is no part of the package."""

import csv
import gzip
import json
from pathlib import Path
from typing import IO, Any

Row = dict[str, Any]


class Absent(Exception):  # noqa: N818 (it is an answer, not an error)
    """A data set is not there; the message says which."""


class Data:
    """Reads data sets from a folder; without one, everything is absent."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def path(self, *parts: str) -> Path:
        """A file or folder of the data.

        Raises:
            Absent: it is not there.
        """
        if self.folder is None:
            raise Absent("needs real data: give its folder by --data or FAULTSTREAM_QUALITY_DATA")
        path = self.folder.joinpath(*parts)
        if not path.exists():
            raise Absent(f"{path} is not there")
        return path

    def table(self, *parts: str) -> list[dict[str, str]]:
        """The rows of a CSV file (.csv or .csv.gz)."""
        path = self.path(*parts)
        with _open(path) as file:
            return list(csv.DictReader(file))

    def lines(self, *parts: str) -> list[Row]:
        """The objects of a JSON Lines file (.jsonl or .jsonl.gz)."""
        with _open(self.path(*parts)) as file:
            return [json.loads(line) for line in file]

    def json(self, *parts: str) -> Any:
        """The value of a JSON file."""
        return json.loads(self.path(*parts).read_text())


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="", encoding="utf-8")
    return path.open(newline="", encoding="utf-8")
