"""The constraints lock everything that pyproject.toml asks for, with hashes, from anywhere."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ]+)(?: ;[^\\]*)? \\$", re.MULTILINE)
FILES = ("run.txt", "dev.txt")


def pins(name: str) -> dict[str, set[str]]:
    """The versions that a constraints file pins, by name; several where Pythons differ."""
    found: dict[str, set[str]] = {}
    for match in PIN.finditer((ROOT / "constraints" / name).read_text("utf-8")):
        found.setdefault(match["name"], set()).add(match["version"])
    return found


def wanted(name: str) -> list[Requirement]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    texts = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        texts += extra
    if name == "dev.txt":
        texts += project["dependency-groups"]["dev"]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("name", FILES)
def test_every_dependency_is_locked(name: str) -> None:
    """Each requirement has a pin that satisfies it; constraints/refresh.sh mends it."""
    locked = pins(name)
    missing = [
        str(requirement)
        for requirement in wanted(name)
        if not any(
            requirement.specifier.contains(version, prereleases=True)
            for version in locked.get(canonicalize_name(requirement.name), ())
        )
    ]
    assert missing == []


def test_both_files_agree() -> None:
    """Tests run against the versions that users get."""
    dev = pins("dev.txt")
    assert {name: dev.get(name) for name in pins("run.txt")} == pins("run.txt")


@pytest.mark.parametrize("name", FILES)
def test_hashes_and_no_addresses(name: str) -> None:
    """Every pin has hashes; where it comes from is the installer's own setting."""
    text = (ROOT / "constraints" / name).read_text("utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    for match in PIN.finditer(text):
        assert text[match.end() :].startswith("\n    --hash=sha256:"), match["name"]
