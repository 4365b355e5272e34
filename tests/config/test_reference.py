"""The reference pages say what the types say."""

import re
from pathlib import Path

import pytest

from faultstream.config.reference import pages
from faultstream.config.settings import PREFIX, VARIABLES

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
ROOT = FOLDER.parents[1]


@pytest.mark.parametrize("name", pages())
def test_the_reference_is_up_to_date(name: str) -> None:
    """`python -m faultstream.config.reference docs/reference` would change nothing."""
    assert (FOLDER / name).read_text("utf-8") == pages()[name]


INTERNAL = {"FAULTSTREAM_DEMO_SETUP"}  # what our own processes hand to each other
SEEN = [ROOT / "docker-compose.yml", ROOT / ".env.example", ROOT / "README.md"]


def test_every_variable_is_in_the_reference() -> None:
    """None is read by the code or told to users that the reference does not explain."""
    known = {PREFIX + variable.name for variable in VARIABLES} | INTERNAL
    files = [*SEEN, *(ROOT / "pipeline").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    unknown = {
        (name, file.name)
        for file in files
        for name in re.findall(PREFIX + "[A-Z_]*[A-Z]", file.read_text("utf-8"))
        if name not in known
    }
    assert unknown == set()
