"""`faultstream correct` writes what every worker reads, and lists it."""

import pytest
from click.testing import CliRunner

from faultstream import wire
from faultstream.cli import main
from faultstream.core.corrections import correct_of
from faultstream.core.records import Control
from tests.client import topics


def run(*args: str) -> tuple[int, str]:
    """Exit code and output."""
    done = CliRunner().invoke(main, ["correct", *args])
    return done.exit_code, done.output


def test_set_list_and_remove(
    embedded_broker: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is set is listed until it is taken back, under the same key."""
    monkeypatch.setattr("faultstream.core.policy.Topology.topic", lambda *_: prefix)
    topics.create(embedded_broker, prefix, partitions=1)
    brokers = ["--brokers", embedded_broker]
    code, said = run("set", "--type", "shop.Oops", "--category", "business", "--severity", "low",
                     "--for", "2h", "--since", "1h", "--reason", "known", *brokers)  # fmt: skip
    assert code == 0, said
    assert said.startswith("corrected in every environment until ")
    assert said.endswith(": type/shop.Oops is business, low\n")
    listed = wire.loads(run("list", *brokers)[1].encode())
    assert (listed["error_type"], listed["category"]) == ("shop.Oops", "business")
    assert (listed["reason"], listed["environment"]) == ("known", "")
    assert run("remove", "--type", "shop.Oops", *brokers)[1] == (
        "no longer corrected in every environment: type/shop.Oops\n"
    )
    assert run("list", *brokers) == (0, "")
    records = topics.read(embedded_broker, prefix, lambda found: len(found) >= 2)
    on, off = (wire.decode(Control, record.value) for record in records)
    assert (on.subject, on.active, off.active) == (off.subject, True, False)
    assert correct_of(on).severity == "low"
    assert on.until_at_ms is not None
    assert on.until_at_ms - on.set_at_ms == 3 * 3_600_000


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("set", "--category", "business"), "give one of fingerprint and error_type"),
        (("set", "--type", "A"), "nothing is corrected"),
        (("set", "--type", "A", "--category", "odd"), "'odd' is not one of"),
        (("remove",), "give one of fingerprint and error_type"),
    ],
)
def test_refused(args: tuple[str, ...], message: str) -> None:
    """What says too little is refused before anything is sent."""
    code, said = run(*args)
    assert (code, message in said) == (2, True)
