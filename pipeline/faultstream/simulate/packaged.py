"""Scenario files of the package, or anybody's own, by name or path."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from faultstream.config.errors import ConfigError
from faultstream.config.shape import did_you_mean
from faultstream.config.source import Source

_PACKAGE: Final = "faultstream"


def names(folder: str) -> list[str]:
    """The names of the files in a folder of the package, without their suffix."""
    found = (one.name for one in files(_PACKAGE).joinpath(folder).iterdir())
    return sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml"))


def source(folder: str, path: str | Path, *, absent: str) -> Source:
    """The file `path`, or the one of that name in a folder of the package.

    Raises:
        ConfigError: `absent`, when it is neither.
    """
    known = names(folder)
    if str(path) in known:
        with as_file(files(_PACKAGE).joinpath(folder, f"{path}.yaml")) as file:
            return Source.of(file)
    if not Path(path).exists():
        raise ConfigError(str(path), "", absent, mend=did_you_mean(str(path), known))
    return Source.of(Path(path))
