"""The offline commands classify and fingerprint."""

import json

import pytest
from click.testing import CliRunner

from faultstream.cli import main
from faultstream.core.event import MAX_MESSAGE_CHARS

EVENT = b'{"service":"a","error_type":"KeyError","event_id":"e1","message":"order 5"}\n'


def test_classify() -> None:
    """A verdict a line; a bad line is told with its number and makes the exit code 1."""
    result = CliRunner().invoke(main, ["classify"], input=EVENT + b"{\n" + EVENT)
    assert result.exit_code == 1
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["event_id"] for line in lines] == ["e1", "e1"]
    assert lines[0]["rule"] == "type:KeyError"
    assert set(lines[0]) == {
        "event_id", "domain", "category", "severity", "transient", "confidence", "rule",
        "http_status",
    }  # fmt: skip
    assert result.stderr.startswith("line 2: decode: not JSON")
    assert result.stderr.endswith("1 bad line\n")


def test_classify_explained() -> None:
    """With --explain, all evidence in order, exactly one of it decided."""
    line = EVENT.replace(b"KeyError", b"acme.Odd").replace(b"order 5", b"read timed out")
    result = CliRunner().invoke(main, ["classify", "--explain"], input=line)
    told = json.loads(result.stdout)
    deciding = [one for one in told["evidence"] if one["decided"]]
    assert [one["rule"] for one in deciding] == [told["rule"]] == ["message:timeout"]
    assert {one["kind"] for one in told["evidence"]} >= {"message", "learned"}


def test_fingerprint() -> None:
    """A fingerprint a line, with the tree on request."""
    result = CliRunner().invoke(main, ["fingerprint", "--explain"], input=EVENT)
    assert result.exit_code == 0
    line = json.loads(result.stdout)
    assert (line["event_id"], line["version"], line["template"]) == ("e1", "fs1", "order <int>")
    assert line["explain"]["app"][0]["values"] == ["KeyError"]


@pytest.mark.parametrize("plain", [False, True])
def test_what_was_left_out_is_told(plain: bool) -> None:
    """An explanation counts the characters that were too many to be looked at."""
    text = "m" * (MAX_MESSAGE_CHARS + 5)
    line = text if plain else json.dumps({"service": "s", "error_type": "E", "message": text})
    command = ["fingerprint", "--explain", *(["--plain"] if plain else [])]
    told = json.loads(CliRunner().invoke(main, command, input=line).output)
    assert told["explain"]["cut"] == {"message": 5}


def test_plain() -> None:
    """Bare messages are grouped by template, secrets left out."""
    text = b"order 5 lost password=x\norder 77 lost password=y\n"
    result = CliRunner().invoke(main, ["fingerprint", "--plain"], input=text)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len({line["fingerprint"] for line in lines}) == 1
    assert lines[0]["template"] == "order <int> lost password=[scrubbed]"
