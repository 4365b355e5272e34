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


@pytest.mark.parametrize("name", ["docker-compose.yml", ".env.example", "README.md"])
def test_variables_that_users_meet_are_in_the_reference(name: str) -> None:
    """No variable is told to users that the reference does not explain."""
    known = {PREFIX + variable.name for variable in VARIABLES}
    assert set(re.findall(PREFIX + "[A-Z_]+", (ROOT / name).read_text("utf-8"))) <= known
