"""Runbooks and post-incident analyses of what the pipeline recorded.

The goldens are in golden/; FAULTSTREAM_GOLDEN=write makes them anew.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final
from xml.dom import minidom

import pytest
from click.testing import CliRunner, Result

from faultstream.analytics.client import Connection
from faultstream.analytics.problem import problem
from faultstream.cli import main
from faultstream.core.report import chart, runbook
from faultstream.core.report.facts import Bucket, Problem, Runbook, Tried
from faultstream.core.report.text import clean, code, escaped, length, percent, rough
from faultstream.core.report.wilson import bounds

GOLDEN: Final = Path(__file__).with_name("golden")
Ask = Callable[..., Result]


@pytest.fixture
def ask(recorded_data: Path) -> Ask:
    """Calls a command on the recorded data."""

    def run(*arguments: str) -> Result:
        environment = {"FAULTSTREAM_CLICKHOUSE": None}
        return CliRunner().invoke(main, [*arguments, "--data", str(recorded_data)], env=environment)

    return run


def is_golden(name: str, text: str) -> bool:
    """Whether the file holds exactly `text`."""
    file = GOLDEN / name
    if os.environ.get("FAULTSTREAM_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    return file.read_text("utf-8") == text


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("OperationalError", "runbook-database.md"),
        ("httpx.ReadTimeout", "runbook-symptom.md"),
        ("valueerror", "runbook-never-cured.md"),
        ("222b57e8", "runbook-fingerprint.md"),
        ("", "runbook-contents.md"),
    ],
)
def test_runbooks(ask: Ask, asked: str, name: str) -> None:
    """What cured it is told with how sure that is; a symptom names its root; nothing is invented
    where nothing cured. The same bytes each time."""
    answer = ask("runbook", *([asked] if asked else []))
    assert answer.exit_code == 0, answer.output
    assert is_golden(name, answer.stdout)
    assert answer.stdout == ask("runbook", *([asked] if asked else [])).stdout


@pytest.mark.parametrize("incident", ["03a54aeb", "22781c36", "83690af1"])
def test_post_incident(ask: Ask, incident: str, tmp_path: Path) -> None:
    """A cascade, an incident that nothing cured, and one that came with a release; the picture is
    well formed and stands beside the page that shows it."""
    file = tmp_path / "reports" / f"post-incident-{incident}.md"
    assert ask("post-incident", incident, "-o", str(file)).exit_code == 0
    image = file.with_suffix(".svg")
    assert is_golden(file.name, file.read_text("utf-8"))
    assert is_golden(image.name, image.read_text("utf-8"))
    assert f"]({image.name})" in file.read_text("utf-8")
    assert minidom.parse(str(image)).getElementsByTagName("svg")  # noqa: S318 - it is ours


def test_without_a_file_a_line_stands_for_the_picture(ask: Ask) -> None:
    """One character per bucket, the tallest a full block."""
    text = ask("post-incident", "22781c36").stdout
    drawn = text.split("```text\n")[1].split("\n```")[0].splitlines()
    assert drawn[0].startswith("errors in 2.0 s, from 2023-11-14 23:12:5")
    assert set(drawn[1]) == {" ", "█"}


def test_what_is_not_there_is_said(ask: Ask) -> None:
    """1, and where to look."""
    runbook = ask("runbook", "NoSuchError")
    assert runbook.exit_code == 1
    assert "no error of type or fingerprint 'NoSuchError' is stored" in runbook.output
    assert ask("post-incident", "zz").exit_code == 1
    assert ask("runbook", "' OR '1'='1").exit_code == 1


def test_a_type_is_no_part_of_another(stored: Connection) -> None:
    """The module may be left out, letters may not."""
    with pytest.raises(LookupError):
        problem(stored, "Error")
    with pytest.raises(LookupError):
        problem(stored, "222b57e")


def facts(*tried: Tried, template: str = "t") -> Runbook:
    """A problem of which only `tried` is known."""
    one = Problem("f00d", "till", "production", "X", "code", 1, 0, 1_000, template)
    return Runbook(
        title="X", by_fingerprint=False, problems=[one], severities=[], kinds=[], transient=False,
        layers=[], incidents=[], tried=list(tried), causes=[], roots=[], leads=[], releases=[],
        returned=0,
    )  # fmt: skip


def tried(strategy: str, cured: int, tries: int) -> Tried:
    """So many cures of so many tries."""
    return Tried(strategy, tries, cured, tries - cured, 0, 0, 0, 1_000 if cured else None, 0)


def test_few_tries_do_not_look_better_than_many() -> None:
    """One of one goes behind nine of ten, and none of many behind none of few."""
    found = [tried("once", 1, 1), tried("never", 0, 9), tried("often", 9, 10), tried("new", 0, 1)]
    assert [one.strategy for one in runbook.best(found)] == ["often", "once", "new", "never"]
    text = runbook.runbook(facts(*found))
    assert "**Try `often` first.**" in text
    assert "`never` never cured it in 9 tries: take it out." in text
    assert "`new` never" not in text
    assert "Nothing cured it yet" in runbook.runbook(facts(tried("never", 0, 9)))


def test_foreign_text_is_no_markup() -> None:
    """Messages cannot end a table's row, a code span or the page."""
    evil = "a|b `c` <script>[x](y)\n# d\x1b[2J"
    (row,) = [
        line for line in runbook.runbook(facts(template=evil)).splitlines() if "`f00d`" in line
    ]
    assert row.replace(r"\|", "").count("|") == 5
    for markup in ("<script>", "[x]", "`c`", "\x1b"):
        assert markup not in row
    assert code("`|`\n") == "`'¦'`"
    picture = chart.svg([Bucket(0, "<a>&", 3)], 100, 0, 1_000, [chart.Mark(5, "</svg><script>")])
    assert "<script>" not in picture
    assert minidom.parseString(picture)  # noqa: S318 - it is ours


def test_wilson() -> None:
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for cured, tries, low, high in (
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):  # fmt: skip
        assert bounds(cured, tries) == pytest.approx((low, high), abs=0.0001)
    assert bounds(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("ms", "shown"),
    [(0, "0.0 s"), (9_999, "10.0 s"), (10_000, "10 s"), (59_999, "59 s"), (60_000, "1 min"),
     (200_000, "3 min 20 s"), (7_500_000, "2 h 5 min"), (90_000_000, "1 d 1 h"), (-500, "-0.5 s")],
)  # fmt: skip
def test_lengths(ms: int, shown: str) -> None:
    """Two units at most."""
    assert length(ms) == shown


def test_other_words() -> None:
    """Never all or nothing when it is not; one line; a bound."""
    assert [percent(ratio) for ratio in (0, 0.001, 0.5, 0.999, 1)] == [
        "0 %", "1 %", "50 %", "99 %", "100 %",
    ]  # fmt: skip
    shown = [rough(ms) for ms in (0, 59_999, 119_999, 120_000, 3_600_000, 86_400_000, 172_800_000)]
    assert shown == ["0 s", "59 s", "119 s", "2 min", "60 min", "24 h", "2 d"]
    assert clean("a\n\tb\x00c" + "x" * 600, 8) == "a b\ufffdcxx…"
    assert escaped("*a*_b_") == r"\*a\*\_b\_"
