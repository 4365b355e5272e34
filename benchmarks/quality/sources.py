"""The real data that quality is measured on. It is not part of the product."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from faultstream.cli.quality import command

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def absent(path: Path) -> NoReturn:
    """Ends the run, saying what is missing; the answer is neither yes nor no, so exit code 0."""
    print(f"skipped: {path} is not here; this benchmark needs the data set of that name")
    sys.exit(0)


def need(*parts: str) -> Path:
    """A file or folder of the data, or the end of the run."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        absent(path)
    return path


def scorer(name: str) -> ModuleType:
    """The scoring functions that come with the data."""
    path = need("score", f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"score_{name}", path)
    if spec is None or spec.loader is None:
        absent(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report(section: str) -> None:
    """Prints a section of `faultstream quality` over the data; options are passed on."""
    data = ["--data", str(DATA)] if DATA.exists() else []
    command.main(["--only", section, *data, *sys.argv[1:]])
