"""Cascades and correlations: which service's faults follow from which, and where they began."""

from typing import Any

import pytest

from faultstream.core import cascade
from faultstream.core.incident import EnvironmentState
from faultstream.core.policy import Topology
from faultstream.core.records import Pattern
from faultstream.core.rise import MAX_RISES, MAX_SEEN
from tests.core import making
from tests.core.making import T0

MINUTE = 60_000


def topology(needs: dict[str, list[str]]) -> Topology:
    """A topology in which each service of the layer `service` needs those named."""
    names = {*needs, *(name for many in needs.values() for name in many)}
    services = {
        name: {"layer": "service", "depends_on": needs.get(name, [])} for name in sorted(names)
    }
    return making.topology(services=services)


class Environment:
    """An environment that is told of patterns; `last` has the newest of each of its own."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.state = EnvironmentState(environment="production")
        self.last: dict[str, Pattern] = {}

    def tell(self, service: str, at_ms: int, **changes: Any) -> None:
        """A pattern of `service`, a burst that opened at T0 + at_ms unless told otherwise."""
        pattern = making.burst(service, at_ms, **changes)
        self.state.now_ms = max(self.state.now_ms, pattern.detected_at_ms)
        told = cascade.heed(self.topology, self.state, pattern)
        for one in told + cascade.look(self.topology, self.state):
            self.last[one.pattern_id] = one

    def open(self, kind: str = "cascade") -> list[Pattern]:
        """What is open now."""
        return [p for p in self.last.values() if p.kind == kind and p.state != "closed"]

    def steps(self) -> set[tuple[str, str]]:
        """The edges of all open cascades."""
        return {(edge.source, edge.target) for one in self.open() for edge in one.edges}


def test_parent_wins_over_declaration() -> None:
    """An event that names the one that caused it settles from where it came."""
    seen = Environment(topology({"web": ["cart", "db"]}))
    seen.tell("cart", 0, evidence=["c1"])
    seen.tell("db", 100, evidence=["d1"])
    seen.tell("web", 200, parents=["d1"])
    assert seen.steps() == {("db", "web")}
    assert "2 services one after the other, from db: db > web (parent)" in seen.open()[0].reason


def test_trace_against_the_clock() -> None:
    """Errors of one request run from what is needed to what needs it, whatever the clocks say."""
    seen = Environment(topology({"web": ["orders"], "orders": ["db"]}))
    seen.tell("web", 0, traces=["t"])
    seen.tell("orders", 20_000, traces=["t"])
    seen.tell("db", 40_000, traces=["t"])
    assert seen.steps() == {("db", "orders"), ("orders", "web")}
    assert [one.root for one in seen.open()] == ["db"]


def test_trace_without_declaration() -> None:
    """Where nothing is declared, errors of one request run from the earlier to the later."""
    seen = Environment(topology({}))
    seen.tell("b", 0, traces=["t", "u"])
    seen.tell("a", 500, traces=["u"])
    seen.tell("c", 600, traces=["other"])
    assert seen.steps() == {("b", "a")}


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [(0, 120_000, True), (0, 120_001, False), (15_000, 0, True), (15_001, 0, False)],
)
def test_declared_windows(first: int, second: int, joined: bool) -> None:
    """A symptom comes within window_ms after its cause, or skew_ms before it, and not beyond."""
    seen = Environment(topology({"web": ["db"]}))
    for at, service in sorted([(first, "db"), (second, "web")]):
        seen.tell(service, at)
    assert (seen.steps() == {("db", "web")}) is joined


def test_what_merely_warns_is_no_cause() -> None:
    """A dependency that only warns, when its caller errs at the same moment, is reached by it."""
    seen = Environment(topology({"web": ["recommend"], "recommend": ["catalog"]}))
    seen.tell("recommend", 0, severity="high", traces=["t"])
    seen.tell("catalog", 0, severity="low", traces=["t"])
    seen.tell("web", 1_000, severity="medium", traces=["u"])
    assert seen.steps() == {("recommend", "catalog"), ("recommend", "web")}
    assert seen.open()[0].root == "recommend"
    earlier = Environment(topology({"web": ["catalog"]}))
    earlier.tell("catalog", 0, severity="low")
    earlier.tell("web", 10_000, severity="high")
    assert earlier.steps() == {("catalog", "web")}


def requests(first: int, count: int = 5) -> dict[str, list[str]]:
    """Errors of as many requests, and their traces."""
    names = [str(number) for number in range(first, first + count)]
    return {"evidence": [f"e{one}" for one in names], "traces": [f"t{one}" for one in names]}


def test_a_declaration_against_the_traces() -> None:
    """Where the requests that failed are known, services with none in common are no cascade."""
    needs = {"web": ["db"], "shop": ["db", "stock"]}
    seen = Environment(topology(needs))
    seen.tell("db", 0, **requests(0))
    seen.tell("web", 10, **requests(100))
    assert seen.steps() == {("db", "web")}, "the ids may be of no use"
    seen.tell("shop", 20, **requests(4))
    seen.tell("stock", 30, **requests(200))
    assert seen.steps() == {("db", "shop")}


@pytest.mark.parametrize("more", [{"count": 6}, {"traces": ["t100"]}], ids=["others", "untraced"])
def test_a_declaration_beside_some_traces(more: dict[str, Any]) -> None:
    """Where not every request that failed is known, a declared dependency is believed."""
    seen = Environment(topology({"web": ["db"], "shop": ["db"]}))
    seen.tell("db", 0, **requests(0))
    seen.tell("shop", 10, **requests(4))
    seen.tell("web", 20, **{**requests(100), **more})
    assert seen.steps() == {("db", "shop"), ("db", "web")}


def test_traces_of_long_faults() -> None:
    """Services that err for long are joined as soon as they err in the same request."""
    seen = Environment(topology({"web": ["db"]}))
    seen.tell("web", 0, traces=["t1"])
    seen.tell("db", 5 * MINUTE, traces=["t2"])
    assert not seen.open()
    later = {"state": "updated", "revision": 2, "last_at_ms": T0 + 6 * MINUTE}
    seen.tell("web", 0, traces=["t1", "t3"], **later)
    seen.tell("db", 5 * MINUTE, traces=["t2", "t3"], **later)
    assert seen.steps() == {("db", "web")}
    assert seen.open()[0].last_at_ms == T0 + 6 * MINUTE


@pytest.mark.parametrize(
    ("severity", "later", "steps"),
    [
        ("low", 5_000, {("web", "cart"), ("web", "stock")}),
        ("low", 4_999, set()),
        ("high", 5_000, {("cart", "web"), ("stock", "web")}),
    ],
)
def test_what_is_flooded(severity: str, later: int, steps: set[tuple[str, str]]) -> None:
    """Services that only warn, clearly after one that needs them erred, follow from that one."""
    seen = Environment(topology({"web": ["cart", "stock"]}))
    seen.tell("web", 0, severity="high")
    seen.tell("cart", later, severity=severity)
    seen.tell("stock", later, severity=severity)
    assert seen.steps() == steps


def test_silent_root() -> None:
    """What most services that rise depend on is the root, though it says nothing itself."""
    seen = Environment(topology({"web": ["orders"], "orders": ["db"], "cart": ["db", "cache"]}))
    seen.tell("orders", 0)
    assert not seen.open()
    seen.tell("cart", 2_000)
    (found,) = seen.open()
    assert (found.root, found.service, found.layer) == ("db", "db", "service")
    assert found.affected.services == ("db", "orders", "cart")
    assert "db, which says nothing itself" in found.reason
    assert found.confidence < 0.8
    seen.tell("web", 4_000)
    (found,) = seen.open()
    assert (found.root, len(found.edges)) == ("db", 3)
    seen.tell("db", 5_000, severity="critical")
    (found,) = seen.open()
    assert found.root == "db"
    assert "says nothing" not in found.reason


@pytest.mark.parametrize(
    ("needs", "why"),
    [
        ({"a": ["db"], "b": ["db"], "c": ["db"], "d": ["db"], "e": ["db"]}, "most are well"),
        ({"a": ["db", "cache"], "b": ["db", "cache"]}, "it may be either"),
    ],
)
def test_no_silent_root(needs: dict[str, list[str]], why: str) -> None:
    """Nothing silent is blamed while most that need it are well, or when two would do as well."""
    seen = Environment(topology(needs))
    seen.tell("a", 0)
    seen.tell("b", 1_000)
    assert not seen.open(), why


def test_recurrence_is_too_weak_for_a_silent_root() -> None:
    """Two services in which errors merely recur do not make a third one guilty."""
    seen = Environment(topology({"a": ["db"], "b": ["db"]}))
    seen.tell("a", 0, kind="recurring")
    seen.tell("b", 0, kind="recurring")
    assert not seen.open()


def test_the_root_stays_when_it_rises_no_more() -> None:
    """What is left of a cascade whose root has ended names that root, and stays one cascade."""
    seen = Environment(
        topology({"orders": ["db"], "cart": ["db"], "web": ["orders"], "app": ["cart"]})
    )
    for at, service in enumerate(["db", "orders", "cart", "web", "app"]):
        seen.tell(service, at)
    (before,) = seen.open()
    assert (before.root, len(before.edges)) == ("db", 4)
    seen.tell("db", 0, state="closed", revision=2)
    seen.tell("late", 5)
    seen.tell("app", 4, revision=2, state="updated", traces=["t"])
    (found,) = seen.open()
    assert (found.root, found.affected) == ("db", before.affected)
    assert len(found.edges) == 4


def rise_together(seen: Environment, times: int, *, gap_ms: int, start_ms: int = 0) -> None:
    """a, then b five seconds later, for a minute each time; nobody declared anything."""
    for number in range(times):
        at = start_ms + number * gap_ms
        for service, later in (("a", 0), ("b", 5_000)):
            seen.tell(service, at + later)
        for service, later in (("a", 0), ("b", 5_000)):
            done = {"state": "closed", "revision": 2, "detected_at_ms": T0 + at + 60_000}
            seen.tell(service, at + later, **done)


def test_correlation_is_learned() -> None:
    """Services that rise together again and again, and seldom otherwise, are correlated."""
    seen = Environment(topology({}))
    seen.tell("other", 0)
    rise_together(seen, 5, gap_ms=15 * MINUTE, start_ms=60 * MINUTE)
    found = [one for one in seen.last.values() if one.kind == "correlation"]
    assert found
    assert {one.root for one in found} == {"a"}
    assert found[0].edges[0].lag_ms == 5_000


def test_correlation_whichever_is_noticed_first() -> None:
    """Which of the two is noticed first changes from time to time; the mean lag tells the order."""
    seen = Environment(topology({}))
    seen.tell("other", 0)
    for number in range(6):
        at = (60 + number * 15) * MINUTE
        later = 9_000 if number % 3 else -3_000
        for service, time_ms in sorted((("a", at), ("b", at + later)), key=lambda one: one[1]):
            seen.tell(service, time_ms)
        for service, time_ms in (("a", at), ("b", at + later)):
            done = {"state": "closed", "revision": 2, "detected_at_ms": T0 + at + 60_000}
            seen.tell(service, time_ms, **done)
    found = [one for one in seen.last.values() if one.kind == "correlation"]
    assert found
    assert {one.root for one in found} == {"a"}
    assert found[-1].edges[0].lag_ms == 5_000
    assert found[-1].count == 6


def test_no_correlation_among_those_that_always_rise() -> None:
    """Services that flap by themselves meet by chance; that is no correlation."""
    seen = Environment(topology({}))
    rise_together(seen, 30, gap_ms=MINUTE)
    assert not [one for one in seen.last.values() if one.kind == "correlation"]


def test_bounds() -> None:
    """However many services rise, and whatever they say, what is kept is bounded."""
    seen = Environment(topology({}))
    for number in range(MAX_RISES + 50):
        ids = [f"{number}-{one}" for one in range(MAX_SEEN + 10)]
        seen.tell(f"s{number}", number, evidence=ids, traces=ids, parents=ids)
    assert len(seen.state.rises) == MAX_RISES
    assert {len(one.evidence) for one in seen.state.rises.values()} == {MAX_SEEN}
    assert {len(one.traces) for one in seen.state.rises.values()} == {MAX_SEEN}


def test_who_was_left_is_not_touched() -> None:
    """Who only says that callers did not wait follows from them, whoever said it first."""
    seen = Environment(topology({"web": ["catalog"], "catalog": ["db"]}))
    seen.tell("catalog", 0, left=True, severity="critical")
    seen.tell("web", 2_000)
    assert seen.steps() == {("web", "catalog")}
    (found,) = seen.open()
    assert (found.root, found.affected.services) == ("web", ("web",))
    seen.tell("catalog", 3_000, pattern_id="own", severity="high")
    assert seen.steps() == {("catalog", "web")}, "now it errs itself"
    assert set(seen.open()[0].affected.services) == {"web", "catalog"}


def test_who_was_left_is_no_cause() -> None:
    """Nothing follows from a service that only says that callers did not wait."""
    seen = Environment(topology({"web": ["catalog"]}))
    seen.tell("catalog", 0, left=True, traces=["t"])
    seen.tell("other", 1_000, traces=["t"])
    assert seen.steps() == {("other", "catalog")}


def test_who_is_named() -> None:
    """What messages say of who failed counts without traces, declarations, and order."""
    seen = Environment(topology({}))
    seen.tell("payment-service", 5_000)
    seen.tell("web", 0, named=["payment"])
    assert seen.steps() == {("payment-service", "web")}
    assert seen.open()[0].root == "payment-service"


def test_who_is_named_and_says_nothing() -> None:
    """A declared service that one names as failing is the root, though it says nothing."""
    seen = Environment(topology({"stock": [], "search-service": []}))
    seen.tell("web", 0, kind="recurring", named=["thing", "search"])
    (found,) = seen.open()
    assert (found.root, found.affected.services) == ("search-service", ("search-service", "web"))
    assert "search-service, which says nothing itself" in found.reason
    seen.tell("stock", 1_000)
    seen.tell("stock", 1_000, state="closed")
    assert seen.open() == [found], "what ends elsewhere changes nothing"
    seen.tell("web", 0, kind="recurring", state="closed")
    assert seen.open() == []


def test_who_asked_is_not_blamed() -> None:
    """A service may name who asked it; that one needs it and is no cause."""
    seen = Environment(topology({"web": ["cart"]}))
    seen.tell("web", 0)
    seen.tell("cart", 1_000, named=["web"])
    assert seen.steps() == {("cart", "web")}


def test_names_with_digits() -> None:
    """Digits of a name are 0 in a message: it counts where one service alone can be meant."""
    seen = Environment(topology({}))
    seen.tell("seat-2", 0)
    seen.tell("web", 1_000, named=["seat-0"])
    assert seen.steps() == {("seat-2", "web")}
    seen = Environment(topology({}))
    seen.tell("seat-2", 0)
    seen.tell("seat-3", 0)
    seen.tell("web", 1_000, named=["seat-0"])
    assert seen.steps() == set()


def test_declared_before_named() -> None:
    """Of who declares what it needs, a name alone makes nobody a silent root."""
    seen = Environment(topology({"web": ["cart", "stock"]}))
    seen.tell("web", 0, named=["stock"])
    assert seen.steps() == set()
    seen.tell("cart", 1_000)
    assert seen.steps() == {("cart", "web")}
