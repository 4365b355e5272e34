"""Differences between two runs over the same events."""

from typing import Any

import msgspec

from faultstream.core.differences import KINDS, Ran, compare
from faultstream.core.group import Group
from faultstream.core.records import Incident, Pattern, RecoveryCommand, Target
from tests.core import making
from tests.core.making import T0


def ran(**fields: Any) -> Ran:
    """A run in which nothing happened, but for `fields`."""
    return Ran(**{"groups": {}, "patterns": [], "incidents": [], "commands": [], **fields})


def group(name: str, **verdict: Any) -> Group:
    """A group whose verdict has changes."""
    made = making.group(name)
    return msgspec.structs.replace(made, verdict=msgspec.structs.replace(made.verdict, **verdict))


def pattern(name: str, first: int = 0, last: int = 10, **fields: Any) -> Pattern:
    """A closed burst of orders from T0 + first to T0 + last seconds."""
    return Pattern(
        **{
            "pattern_id": name, "revision": 3, "kind": "burst", "state": "closed", "count": 5,
            "environment": "production", "service": "orders", "fingerprint": "f",
            "first_at_ms": T0 + first * 1_000, "last_at_ms": T0 + last * 1_000,
            "detected_at_ms": T0 + first * 1_000, "closed_at_ms": T0 + last * 1_000, **fields,
        }
    )  # fmt: skip


def test_equal_runs() -> None:
    """A run does not differ from itself."""
    one = ran(groups={"e": group("a")}, patterns=[pattern("p")], commands=[command("retry")])
    assert compare(one, one) == {kind: [] for kind in KINDS}


def test_verdicts() -> None:
    """Events whose verdict changes are counted by type and change, with one as an example."""
    old = ran(groups={f"e{n}": group("a") for n in range(3)} | {"x": group("a")})
    new = ran(groups={f"e{n}": group("a", severity="low") for n in range(3)} | {"x": group("a")})
    (found,) = compare(old, new)["verdicts"]
    assert (found.what, found.count, found.example) == ("ConnectionError", 3, "e0")
    assert (found.current, found.candidate) == ({"severity": "high"}, {"severity": "low"})


def test_groups() -> None:
    """What was one group and is two is split; what were two and is one is merged."""
    old = ran(groups={"1": group("a"), "2": group("a"), "3": group("b"), "4": group("c")})
    new = ran(groups={"1": group("x"), "2": group("y"), "3": group("z"), "4": group("z")})
    found = compare(old, new)["groups"]
    assert [(one.what.partition(":")[0], one.current, one.candidate) for one in found] == [
        ("merged", ["b", "c"], ["z"]),
        ("split", ["a"], ["x", "y"]),
    ]


def test_patterns() -> None:
    """The same fault found a little earlier is the same; another place, time or kind is not."""
    old = ran(patterns=[pattern("a", 5, 20), pattern("b", 100, 110), pattern("c", severity="low")])
    new = ran(
        patterns=[
            pattern("moved", 1, 20),
            pattern("later", 500, 510),
            pattern("c", severity="high", count=7),
        ]
    )
    found = compare(old, new)["patterns"]
    assert len(found) == 3
    (severity,) = [one for one in found if one.current and one.candidate]
    assert severity.current == {"count": 5, "severity": "low"}
    assert severity.candidate == {"count": 7, "severity": "high"}
    assert sum(one.candidate is None for one in found) == 1
    assert sum(one.current is None for one in found) == 1


def command(strategy: str, **parameters: Any) -> RecoveryCommand:
    """A command to orders."""
    return RecoveryCommand(
        command_id="c", incident_id="i", attempt=1, strategy=strategy, parameters=parameters,
        target=Target(environment="production", service="orders"), issued_at_ms=T0,
        expires_at_ms=T0 + 1,
    )  # fmt: skip


def test_commands_and_incidents() -> None:
    """Commands are compared with their parameters, incidents by root and how they ended."""
    incident = Incident(
        incident_id="i", revision=1, state="escalated", severity="high", environment="production",
        root="orders", pattern_ids=[], first_error_at_ms=T0, opened_at_ms=T0, updated_at_ms=T0,
    )  # fmt: skip
    old = ran(commands=[command("retry", tries=1), command("fallback")], incidents=[])
    new = ran(commands=[command("retry", tries=2), command("fallback")], incidents=[incident])
    found = compare(old, new)
    assert [(one.what, one.current, one.candidate) for one in found["commands"]] == [
        ("retry at orders (tries 1)", 1, None),
        ("retry at orders (tries 2)", None, 1),
    ]
    assert [(one.what, one.candidate) for one in found["incidents"]] == [("orders: escalated", 1)]
