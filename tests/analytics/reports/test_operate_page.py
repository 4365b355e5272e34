"""docs/how-to/operate.md shows what the commands print over the recorded data set.

A line `...` on the page stands for lines that are left out; ages go on, so they are not compared.
"""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from faultstream.cli import main

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "operate.md"
BLOCK = re.compile(r"^```console\n\$ faultstream ([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(PAGE.read_text("utf-8"))


def ageless(text: str) -> str:
    """Without ages and blanks at line ends."""
    return re.sub(r"[0-9]+ (d|h|min|s) ago", "N ago", re.sub(r" +$", "", text, flags=re.MULTILINE))


@pytest.mark.parametrize(("line", "shown"), BLOCKS, ids=[line for line, _ in BLOCKS])
def test_the_page_shows_what_is_printed(line: str, shown: str, recorded_data: Path) -> None:
    """Each part between the lines that are left out, in order."""
    environment = {"COLUMNS": "80", "FAULTSTREAM_CLICKHOUSE": None}
    answer = CliRunner().invoke(
        main, [*line.split(), "--data", str(recorded_data)], env=environment
    )
    assert answer.exit_code == 0, answer.output
    printed, place = ageless(answer.stdout), 0
    for part in ageless(shown).split("...\n"):
        assert part in printed[place:]
        place = printed.index(part, place) + len(part)


def test_the_page_has_all_of_them() -> None:
    """Every command that reads is shown."""
    assert {line.split()[0] for line, _ in BLOCKS} == {
        "incidents", "show", "runbook", "post-incident",
    }  # fmt: skip
