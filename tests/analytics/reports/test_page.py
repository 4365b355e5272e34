"""Reports as pages: one HTML file that needs nothing else."""

import re
from html.parser import HTMLParser
from pathlib import Path

from click.testing import CliRunner

from faultstream.cli import main
from faultstream.core.report import chart
from faultstream.core.report.facts import Bucket
from faultstream.core.report.page import page
from faultstream.core.report.text import escaped

HOSTILE = (
    "<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=alert(1)> "
    "![p](http://h/p)"
)
PICTURE = chart.svg([Bucket(0, "orders", 3)], 100, 0, 1_000, [chart.Mark(5, "opened")])
VOID = {"meta", "img", "br", "hr"}


class Tags(HTMLParser):
    """What tags a page has, whether each is closed, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes it."""
        self.seen.add(tag)
        self.open += [tag] if tag not in VOID else []
        self.loads += [str(value) for name, value in attrs if name in {"src", "href", "onerror"}]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One that closes itself."""
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        """It closes the last one."""
        assert self.open.pop() == tag


def tags(text: str) -> Tags:
    """The tags of a page, all of them closed."""
    found = Tags()
    found.feed(text)
    found.close()
    assert not found.open
    return found


def test_a_report_is_a_page_with_its_picture(recorded_data: Path, tmp_path: Path) -> None:
    """Headings, tables and the picture are there; nothing is loaded and no script runs."""
    data = ("--data", str(recorded_data))
    runner = CliRunner(env={"FAULTSTREAM_CLICKHOUSE": None})
    for arguments in (("post-incident", "22781c36"), ("runbook", "OperationalError")):
        file = tmp_path / "reports" / f"{arguments[0]}.html"
        answer = runner.invoke(main, [*arguments, "-o", str(file), *data])
        assert (answer.exit_code, answer.output) == (0, "")
        found = tags(file.read_text())
        assert {"title", "h1", "h2", "table", "code"} <= found.seen
        assert ("svg" in found.seen) == (arguments[0] == "post-incident")
        assert not found.seen & {"script", "img", "link", "iframe"}
        assert not found.loads
    assert sorted(one.name for one in file.parent.iterdir()) == [
        "post-incident.html",
        "runbook.html",
    ]


def test_what_was_reported_is_text_on_a_page() -> None:
    """Neither escaped nor raw does it become a tag, a link or an image."""
    for text in (HOSTILE, escaped(HOSTILE)):
        made = page(f"# {text}\n\n| a |\n| --- |\n| {text} |\n\n![x](x.svg)\n", PICTURE)
        found = tags(made)
        assert "script" not in found.seen
        assert not [one for one in found.loads if "javascript" in one or "alert" in one]
        assert "alert(1)" in re.sub(r"<style>.*</style>", "", made, flags=re.DOTALL)
        assert "img" not in found.seen
    assert "default-src 'none'" in made


def test_a_file_that_cannot_be_written_is_named(recorded_data: Path, tmp_path: Path) -> None:
    """With the reason, and exit code 1."""
    (tmp_path / "file").write_text("")
    target = tmp_path / "file" / "a.html"
    runner = CliRunner(env={"FAULTSTREAM_CLICKHOUSE": None})
    answer = runner.invoke(
        main, ["runbook", "OperationalError", "-o", str(target), "--data", str(recorded_data)]
    )
    assert (answer.exit_code, answer.stdout) == (1, "")
    assert f"{target}: cannot be written: " in answer.stderr
