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


def test_what_is_planned_begins_later(published: list[Control]) -> None:
    """Silences and pauses, at a time with or without a zone or after a length; 2 for the past."""
    call = ["silence", "service=orders", "--from", "2h", "--for", "1h"]
    assert " from " in CliRunner().invoke(main, call).output
    call = ["pause", "--from", "2099-01-05T22:00:00+01:00", "--for", "1h"]
    result = CliRunner().invoke(main, call)
    assert result.output == (
        "recovery paused in every environment from 2099-01-05T21:00:00.000Z until "
        "2099-01-05T22:00:00.000Z\n"
    )
    silence, pause = published
    assert silence.from_at_ms is not None
    assert silence.from_at_ms > silence.set_at_ms
    assert silence.until_at_ms == silence.from_at_ms + 3_600_000
    assert pause.parameters == {}
    for call, said in (
        (["silence", "a=b", "--from", "2020-01-05T22:00"], "that is over already"),
        (["pause", "--from", "2020-01-05T22:00", "--for", "1h"], "that is over already"),
        (["silence", "a=b", "--from", "tonight"], "'tonight' is no time such as"),
        (["silence", "a=b", "--from", "1h", "--expire"], "leave out --from and --for"),
        (["pause", "--from", "1h", "--resume"], "leave out --from and --for"),
    ):
        result = CliRunner().invoke(main, call)
        assert result.exit_code == 2
        assert said in " ".join(result.output.split())
    assert len(published) == 2


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


SLOW = "grouped by service; after 30 s; then every 5 min; again after 4 h"
NIGHT = "muted in night; only in night"
QUIET = "quiet below error while recovery is in flight"
ROUTES = """
  sms: {kind: log, min_level: error, template: short}
notification:
  templates: {short: {title: "{{ level }} in {{ labels.service }} {{ status }}"}}
  receivers: {pager: {channels: [sms], fallback: [log]}}
  escalations: {bad: {matchers: [level=critical], steps: [{after_ms: 60_000, channels: [log]}]}}
  inhibit_rules:
    - {source_matchers: [level=critical], target_matchers: [level=error], equal: [service]}
  time_intervals: {night: [{times: [{start_time: "22:00", end_time: "24:00"}]}]}
  route:
    group_by: [service]
    routes:
      - {matchers: [level=~"critical|error"], receiver: pager, group_wait_ms: 0, continue: true}
      - {matchers: [service=orders], mute_time_intervals: [night], active_time_intervals: [night]}
"""


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    """A topology with routes for people."""
    file = tmp_path / "topology.yaml"
    text = TOPOLOGY.read_text("utf-8")
    file.write_text(text[: text.index("\n# Names and meaning as in")] + ROUTES.removeprefix("\n"))
    return file


def test_the_routing_tree_is_shown(routes: Path) -> None:
    """A route and its lengths, children below it."""
    done = CliRunner().invoke(main, ["notify", "routes", "--topology", str(routes)])
    assert (done.exit_code, done.stdout.splitlines()) == (0, [
        "everything else -> default (log, sms)",
        f"    grouped by service; after 30 s; then every 5 min; again after 4 h; {QUIET}",
        '  level=~"critical|error" -> pager (sms), and goes on',
        f"      grouped by service; at once; then every 5 min; again after 4 h; {QUIET}",
        "  service=orders -> default (log, sms)",
        f"      {SLOW}; {NIGHT}; {QUIET}",
    ])  # fmt: skip


def test_which_routes_an_alert_goes_through(routes: Path) -> None:
    """Receivers, channels, groups, what mutes it; 1 when others than expected are told."""
    call = ["notify", "routes", "--topology", str(routes), "--at", "2026-01-05T23:00Z"]
    done = CliRunner().invoke(main, [*call, "level=error", "service=orders", "--expect", "pager"])
    assert (done.exit_code, done.output.splitlines()) == (0, [
        'route 0.0 (level=~"critical|error")',
        "    receiver pager: sms; where that fails log",
        f"    grouped by service; at once; then every 5 min; again after 4 h; {QUIET}",
        "    its group: service=orders",
        "route 0.1 (service=orders)",
        "    receiver default: log, sms",
        "    tells nobody then: muted at this time (night)",
        f"    grouped by service; after 30 s; then every 5 min; again after 4 h; {NIGHT}; {QUIET}",
        "    its group: service=orders",
        "muted while an alert fires with level=critical and the same service",
    ])  # fmt: skip
    done = CliRunner().invoke(main, [*call, "level=warning", "--expect", "pager"])
    assert done.exit_code == 1
    assert "    not sms: its level is below their min_level" in done.output
    assert done.stderr == "expected pager, but default is told\n"
    done = CliRunner().invoke(main, [*call, "level=critical", "servce=orders"])
    assert done.output.splitlines()[-2:] == [
        "escalation bad, until acknowledged or resolved", "    after 1 min: log",
    ]  # fmt: skip
    assert "no label 'servce'. Did you mean service?" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["level!=info"], "'level!=info' is no label such as level=critical"),
        (["critical"], "'critical' is no label such as level=critical"),
        (["level=info", "--expect", "pagr"], "there is no receiver 'pagr'. Did you mean pager?"),
        (["--expect", "pager"], "--expect needs the labels of an alert"),
    ],
)
def test_mistakes_in_labels_are_told(routes: Path, arguments: list[str], said: str) -> None:
    """2, with what was meant."""
    done = CliRunner().invoke(main, ["notify", "routes", "--topology", str(routes), *arguments])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_what_a_channel_would_say_is_shown(routes: Path) -> None:
    """By its template, while it fires and when it is over; nothing is sent."""
    call = ["notify", "test", "sms", "--show", "--level", "critical", "--topology", str(routes)]
    done = CliRunner().invoke(main, call)
    assert (done.exit_code, done.output.splitlines()) == (0, [
        "firing", "  critical in orders firing", "    1. circuit_break: recurring",
        "resolved", "  critical in orders resolved", "    retry cured it",
    ])  # fmt: skip
    done = CliRunner().invoke(main, ["notify", "test", "lag", "--show", "--topology", str(routes)])
    assert done.exit_code == 2
