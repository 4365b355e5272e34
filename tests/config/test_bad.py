"""Every strict check of topology.yaml has a bad file, and the messages are these exactly."""

from pathlib import Path

import pytest

from faultstream.config.errors import ConfigError
from faultstream.config.hints import HINTS
from faultstream.config.rules import RULES
from faultstream.config.topology import examine, load

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").glob("*.yaml"))
WARNED = sorted((HERE / "warned").glob("*.yaml"))
EXPECT = "# expect "


def expected(file: Path) -> list[str]:
    lines = file.read_text("utf-8").splitlines()
    return [line.removeprefix(EXPECT) for line in lines if line.startswith(EXPECT)]


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_file_is_refused_with_exactly_these_messages(file: Path) -> None:
    """Each problem is named with its line, place, bound, value and mend, all in one go."""
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert [str(problem) for problem in caught.value.problems] == [
        f"{file}:{message}" for message in expected(file)
    ]
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))


@pytest.mark.parametrize("file", WARNED, ids=lambda file: file.stem)
def test_a_doubtful_file_is_used_with_a_warning(file: Path) -> None:
    """What is allowed but hardly meant is used, and said."""
    report = examine(file)
    assert report.topology is not None
    assert [str(warning) for warning in report.warnings] == [
        f"{file}:{message}" for message in expected(file)
    ]


def test_the_good_file_has_nothing_wrong_and_nothing_to_warn_of() -> None:
    """The file that the bad ones are made from is fine, so each fails for its one reason."""
    report = examine(HERE / "good.yaml")
    assert (report.problems, report.warnings) == ((), ())


@pytest.mark.parametrize("rule", [*RULES, *HINTS], ids=lambda rule: rule.__name__)
def test_every_rule_is_broken_by_some_file(rule: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rule at least one of the files would pass: none is without an example."""
    rules = tuple(other for other in RULES if other is not rule)
    hints = tuple(other for other in HINTS if other is not rule)
    monkeypatch.setattr("faultstream.config.rules.RULES", rules)
    monkeypatch.setattr("faultstream.config.hints.HINTS", hints)
    reports = {file: examine(file) for file in [*BAD, *WARNED]}
    assert any(
        len(report.problems) + len(report.warnings) < len(expected(file))
        for file, report in reports.items()
    )
