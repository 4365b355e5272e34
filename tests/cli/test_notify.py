"""`faultstream notify test` and `silence`, as an operator calls them."""

import getpass
from pathlib import Path

import pytest
from click.testing import CliRunner

from faultstream.cli import main
from faultstream.core.policy import Topology
from faultstream.core.records import Control
from faultstream.ops import child

TOPOLOGY = Path(__file__).parents[2] / "topology.yaml"
MAIL = "  log: {kind: log, rate_limited: false}\n  pager: {kind: webhook, url_env: PAGER}\n"


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Control]:
    made: list[Control] = []

    async def publish(brokers: str, topology: Topology, record: Control) -> None:
        made.append(record)

    monkeypatch.setattr("faultstream.cli.steering.publish", publish)
    return made


def test_a_test_message_goes_out_or_says_why_not(tmp_path: Path) -> None:
    """0 when it was delivered; 2 for what is no channel."""
    result = CliRunner().invoke(main, ["notify", "test", "log"])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "log: delivered")
    result = CliRunner().invoke(main, ["notify", "test", "lag"])
    assert result.exit_code == 2
    assert "channels.lag: there is no such channel" in result.stderr
    assert "Did you mean log?" in result.stderr


def test_a_channel_without_its_address(tmp_path: Path) -> None:
    """2, with the variable that is not set; the address itself is never shown."""
    file = tmp_path / "topology.yaml"
    text = TOPOLOGY.read_text("utf-8")
    file.write_text(text.replace("  log: {kind: log, rate_limited: false}\n", MAIL))
    env = {"FAULTSTREAM_TOPOLOGY": str(file)}
    result = CliRunner(env=env).invoke(main, ["notify", "test", "pager"])
    assert result.exit_code == 2
    assert "channels.pager.url_env: the environment variable PAGER is not set" in result.stderr
    env["PAGER"] = f"ftp://127.0.0.1:{child.free_port()}/secret"
    result = CliRunner(env=env).invoke(main, ["notify", "test", "pager"])
    assert result.exit_code == 2
    assert "secret" not in result.output


def test_silence_and_its_end_have_one_subject(published: list[Control]) -> None:
    """The same matchers in any order name the same silence."""
    call = ["silence", "service=orders", "level!=critical", "--for", "1h", "--reason", "disk"]
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 0
    assert result.output.startswith("silenced in every environment until ")
    call = ["silence", "level!=critical", "service=orders", "--expire"]
    assert CliRunner().invoke(main, call).exit_code == 0
    start, end = published
    assert start.subject == end.subject
    assert (start.active, end.active) == (True, False)
    assert start.until_at_ms == start.set_at_ms + 3_600_000
    assert start.parameters == {"matchers": ["level!=critical", "service=orders"]}
    assert start.by == getpass.getuser()


def test_silence_refuses_what_is_no_matcher(published: list[Control]) -> None:
    """2, before anything is published."""
    result = CliRunner().invoke(main, ["silence", "orders"])
    assert result.exit_code == 2
    assert "'orders' is no matcher such as service=\"orders\"" in result.output
    result = CliRunner().invoke(main, ["silence"])
    assert result.exit_code == 2
    assert "name what is silenced, such as service=orders" in result.output
    assert not published


def test_who_is_on_call(tmp_path: Path) -> None:
    """By the clock of the schedule, with the channels that reach them; a time that is none is 2."""
    text = Path("topology.yaml").read_text()
    schedule = (
        '{location: Asia/Tokyo, rotations: [{people: [ann, bob], start: "2026-01-05T09:00"}]}'
    )
    people = "  people: {ann: [log], bob: [log]}\n"
    file = tmp_path / "topology.yaml"
    file.write_text(
        text.replace(
            "notification:\n", f"notification:\n{people}  schedules: {{shop: {schedule}}}\n"
        )
    )
    arguments = ["notify", "on-call", "--topology", str(file), "--at"]
    done = CliRunner().invoke(main, [*arguments, "2026-01-12T08:59"])
    assert (done.exit_code, done.output) == (0, "shop: ann (log)\n")
    assert CliRunner().invoke(main, [*arguments, "2026-01-12T09:00"]).output == "shop: bob (log)\n"
    assert CliRunner().invoke(main, [*arguments, "tomorrow"]).exit_code == 2
