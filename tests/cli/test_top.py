"""`faultstream top`: what it shows of the facts, and that there is always room."""

import msgspec
import pytest
from rich.console import Console, ConsoleDimensions

from faultstream.cli.top_view import trouble, view
from faultstream.config.topology import load
from faultstream.core.report.chart import spark
from faultstream.core.report.live import Facts, Live, judge
from tests.gateway.test_page import EVIL, FACTS


def shown(live: Live, width: int = 100, height: int = 40) -> list[str]:
    console = Console(width=width, height=height)
    with console.capture() as capture:
        console.print(view(live, ConsoleDimensions(width, height)))
    return capture.get().splitlines()


def judged(**more: object) -> Live:
    facts: Facts = msgspec.structs.replace(FACTS, **more)
    return judge(facts, load(None))


def test_the_facts_of_the_live_page() -> None:
    """Health with its rule, rates, incidents with what was tried, what is in force, patterns."""
    lines = shown(judged())
    assert lines[0] == "■ critical  1 critical of 1 service; newest row stored 2.0 s ago"
    assert lines[1].endswith("  3,630 errors in the last hour")
    text = "\n".join(lines)
    for told in (
        "an incident waits for a person",
        "0190b0c4 escalated orders critical, 90 s ago: pool_increase",
        "retry failed",
        "circuit_break for db in 3 instances of orders, 51 s left",
        "burst",
    ):
        assert told in text


@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24), (200, 60)])
def test_it_fits(width: int, height: int) -> None:
    """However small the terminal and long the lists, no line is broken and most of it fits."""
    many = [
        msgspec.structs.replace(FACTS.patterns[0], pattern_id=str(n), service=f"s{n}\x1b[2J")
        for n in range(300)
    ]
    lines = shown(judged(patterns=many), width, height)
    assert max(map(len, lines)) <= width
    assert len(lines) <= max(36, height)
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize(
    ("width", "there", "missing"),
    [(110, "last 30 min", "..."), (70, "5 min", "last 30 min"), (44, "why", "5 min")],
)
def test_names_and_health_are_whole(width: int, there: str, missing: str) -> None:
    """However narrow the terminal; counts give way first."""
    lines = shown(judged(), width, 40)
    (head,) = [line for line in lines if line.startswith("health")]
    assert there in head
    assert missing not in head
    assert any(line.split()[1:3] == ["critical", "orders"] for line in lines)


def test_trouble_stands_above_what_is_old() -> None:
    """While ClickHouse is away the last picture stays, and it is said to be old."""
    console = Console(width=100)
    with console.capture() as capture:
        console.print(trouble(view(judged(), console.size), f"ClickHouse at x: {EVIL}"))
    assert capture.get().startswith("this is old: ClickHouse at x: <img")


def test_spark() -> None:
    """One block for each value, none is a space, the most is whole."""
    assert spark([0, 1, 4, 8]) == " ▁▄█"
    assert spark([0]) == " "
