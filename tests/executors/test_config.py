"""executor.yaml is checked before anything runs, and the command says what is wrong with it."""

import base64
from pathlib import Path

import pytest
from click.testing import CliRunner

from faultstream.cli import main
from faultstream.config.errors import ConfigError
from faultstream.config.executor import RULES, load

GOOD = """\
version: 1
instance: ops-1
journal: {journal}
services:
  orders:
    concurrency: 2
    handlers:
      service_restart:
        command: {{argv: [/bin/echo, "{{graceful_ms}}", "{{service}}"], timeout_ms: 45_000}}
      cache_clear:
        webhook: {{url: "https://ops.example.org/hooks/cache", secret_env: HOOK, attempts: 2}}
      resource_scale:
        command:
          argv: [/bin/echo, "{{factor}}"]
          undo_argv: [/bin/echo, "back", "{{rollback_of}}"]
      pool_increase:
        webhook: {{url: "https://x/pool", secret_env: HOOK, undo_url: "https://y/pool"}}
      drain:
        delivery: broadcast
        command: {{argv: [/bin/echo, "{{node}}"], exit_codes: {{"75": partial}}}}
"""
WRONG = [
    ("version: 1", "version: 2", "version: wrong value; must be 1; got 2"),
    ("concurrency: 2", "concurrency: 0", "services.orders.concurrency: wrong value"),
    ("attempts: 2", "attempt: 2", "webhook.attempt: unknown setting. Did you mean attempts?"),
    (
        '[/bin/echo, "{graceful_ms}"',
        '[echo, "{graceful_ms}"',
        "command.argv[0]: no path; must be an absolute path; got 'echo'",
    ),
    (
        '[/bin/echo, "{node}"',
        '[/nonexistent, "{node}"',
        "command.argv[0]: no program that may be run; got '/nonexistent'",
    ),
    ('[/bin/echo, "{node}"]', "[]", "command.argv: no program; must be at least one element"),
    (
        '"{graceful_ms}"',
        '"{gracefull_ms}"',
        "argv[1]: service_restart has no such parameter; got 'gracefull_ms'.",
    ),
    ("{rollback_of}", "{rollback}", "undo_argv[2]: resource_scale has no such parameter; got 'ro"),
    ("undo_argv: [/bin/echo", "undo_argv: [echo", "command.undo_argv[0]: no path; must be an abso"),
    ("https://y/", "y/", "services.orders.handlers.pool_increase.webhook.undo_url: no address"),
    ("https://ops.example.org", "ftp://ops", "webhook.url: no address; must be an address that"),
    ("https://ops", "https://ann:pw@ops", "webhook.url: names a user. Requests are signed"),
    (
        "timeout_ms: 45_000}",
        "cwd: etc}",
        "command.cwd: no folder; must be the absolute path of a folder; got 'etc'",
    ),
    (
        "timeout_ms: 45_000}",
        "pass_env: [FAULTSTREAM_SIGNING_KEY]}",
        "pass_env[0]: is a secret of the pipeline; got 'FAULTSTREAM_SIGNING_KEY'",
    ),
    (
        "        delivery: broadcast\n",
        '        webhook: {url: "http://a", secret_env: B}\n',
        "handlers.drain: two kinds of handler; must be exactly one of webhook and command",
    ),
    (
        'exit_codes: {"75": partial}',
        'exit_codes: {"1000": partial}',
        "exit_codes.1000: wrong name; must be a string that matches",
    ),
]  # fmt: skip


def written(folder: Path, old: str = "", new: str = "") -> Path:
    """executor.yaml with a change."""
    text = GOOD.format(journal=folder / "journal")
    assert old in text
    path = folder / "executor.yaml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    """With its place, bound, value and mend."""
    path = written(tmp_path, old, new)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert len(caught.value.problems) == 1
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services: {}", "services: no service; must be at least one"),
        ("services: {a: {handlers: {}}}", "services.a.handlers: no handler; must be at least one"),
        ("services: {a: {handlers: {b: {}}}}", "handlers.b: no kind of handler"),
    ],
)
def test_nothing_to_do(tmp_path: Path, text: str, message: str) -> None:
    """An executor that could do nothing is a mistake."""
    path = tmp_path / "executor.yaml"
    path.write_text(f"version: 1\njournal: /tmp/j\n{text}\n")
    with pytest.raises(ConfigError, match=message):
        load(path)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_is_needed(
    rule: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it one of the files above would pass."""
    others = tuple(other for other in RULES if other is not rule)
    monkeypatch.setattr("faultstream.config.executor.RULES", others)
    passed = 0
    for old, new, _ in WRONG:
        try:
            load(written(tmp_path, old, new))
            passed += 1
        except ConfigError:
            pass
    path = tmp_path / "empty.yaml"
    path.write_text("version: 1\njournal: /tmp/j\nservices: {}\n")
    try:
        load(path)
        passed += 1
    except ConfigError:
        pass
    assert passed


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("FAULTSTREAM_SIGNING_KEY", "a signing key for tests only")
    monkeypatch.setenv("HOOK", "whsec_" + base64.b64encode(b"x" * 32).decode())
    return monkeypatch


def test_check(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    """`--check` says what would be carried out, and needs no broker."""
    path = written(tmp_path)
    done = CliRunner().invoke(main, ["executor", "--config", str(path), "--check"])
    assert done.exit_code == 0, done.output
    back = "resource_scale (and back), pool_increase (and back)"
    assert done.output == f"{path}: fine, orders: service_restart, cache_clear, {back}, drain\n"
    assert not (tmp_path / "journal").exists()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HOOK", None, "services.orders.handlers.cache_clear: the environment variable HOOK is"),
        ("HOOK", "short", "HOOK has 5 bytes, at least 16 are needed"),
        ("FAULTSTREAM_SIGNING_KEY", None, "FAULTSTREAM_SIGNING_KEY: missing; commands are"),
        ("FAULTSTREAM_KAFKA", "nowhere", "FAULTSTREAM_KAFKA: no list of brokers"),
    ],
)
def test_the_environment_is_checked(
    tmp_path: Path, environment: pytest.MonkeyPatch, name: str, value: str | None, message: str
) -> None:
    """A secret that is missing or too short ends it with code 2."""
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)
    arguments = ["executor", "--config", str(written(tmp_path)), "--check"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert message in done.output
