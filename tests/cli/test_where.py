"""Where commands find Kafka."""

import json
import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from faultstream.cli.where import place


@click.command()
@place
def asked(*, brokers: str | None, file: Path | None) -> None:
    """Says what it was given."""
    click.echo(f"{brokers} {file}")


def answer(*arguments: str, **env: str) -> str:
    """What the command gets."""
    clear = {"FAULTSTREAM_KAFKA": None, "FAULTSTREAM_DATA": None}
    return CliRunner(env={**clear, **env}).invoke(asked, list(arguments)).output.strip()


def test_the_broker_of_what_runs_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option, else the variable, else what runs in the data folder, else nothing; what a crash
    left behind does not count."""
    monkeypatch.chdir(tmp_path)
    assert answer() == "None None"
    up = Path(".faultstream/up.json")
    up.parent.mkdir()
    for pid, found in ((os.getpid(), "127.0.0.1:7"), (2**22 + 1, "None"), ("x", "None")):
        up.write_text(json.dumps({"kafka": "127.0.0.1:7", "pids": {"up": pid}}))
        assert answer("--topology", "t.yaml") == f"{found} t.yaml"
    up.write_text(json.dumps({"kafka": "127.0.0.1:7", "pids": {"up": os.getpid()}}))
    assert answer("--brokers", "b:1") == "b:1 None"
    assert answer(FAULTSTREAM_KAFKA="c:2") == "None None", "it is read with the other settings"
    assert answer(FAULTSTREAM_DATA=str(tmp_path)) == "None None"
    assert answer(FAULTSTREAM_DATA=str(tmp_path / ".faultstream")) == "127.0.0.1:7 None"
    for text in ("", "[]", "{"):
        up.write_text(text)
        assert answer() == "None None"
