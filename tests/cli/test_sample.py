"""`faultstream sample` writes the rule that clients read."""

import pytest
from click.testing import CliRunner

from faultstream import wire
from faultstream.cli import main
from faultstream.core.records import Control
from faultstream.core.sampling import Sample, sample_of
from tests.client import topics


def run(*args: str) -> tuple[int, str]:
    """Exit code and output."""
    done = CliRunner().invoke(main, ["sample", *args])
    return done.exit_code, done.output


def test_a_rule_is_written_and_taken_back(
    embedded_broker: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both with the same key; the second is not active."""
    monkeypatch.setattr("faultstream.cli.sample.load", lambda _file: _Named(prefix))
    topics.create(embedded_broker, prefix, partitions=1)
    about = ["--service", "orders", "--type", "*Time*", "--brokers", embedded_broker]
    code, said = run("0.25", *about, "--first", "3", "--hold", "2s", "--for", "30m")
    assert code == 0, said
    assert said.startswith("sampled at 0.25 until ")
    assert said.endswith(": service orders, error_type *Time*\n")
    assert run("--expire", *about)[1] == "no longer sampled: service orders, error_type *Time*\n"
    records = topics.read(embedded_broker, prefix, lambda found: len(found) >= 2)
    on, off = (wire.decode(Control, record.value) for record in records)
    assert {record.key for record in records} == {on.subject.encode()}
    assert sample_of(on) == Sample(
        service="orders", error_type="*Time*", ratio=0.25, first=3, hold_ms=2_000
    )
    assert on.until_at_ms == on.set_at_ms + 1_800_000
    assert (on.active, off.active, off.subject) == (True, False, on.subject)


class _Named:
    """A topology whose control topic has another name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def topic(self, role: str) -> str:
        """The control topic."""
        assert role == "control"
        return self.name


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "give a RATIO, or --expire"),
        (("0.5", "--expire"), "give a RATIO, or --expire"),
        (("1.5",), "1.5 is not in the range 0<=x<=1"),
        (("0.5", "--hold", "10m"), "hold_ms"),
        (("0.5", "--first", "-1"), "first"),
    ],
)
def test_what_makes_no_sense_is_refused(args: tuple[str, ...], message: str) -> None:
    """Exit code 2 before anything is connected to."""
    code, said = run(*args)
    assert code == 2
    assert message in said
