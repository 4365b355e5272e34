"""The memo of the Grouper never shows."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream.config.topology import load
from faultstream.core.classify import Classifier
from faultstream.core.event import Cause, ErrorEvent, Frame
from faultstream.core.grouping import Grouper, group_of

TOPOLOGY = load(None)
CLASSIFIER = Classifier(TOPOLOGY)
SHARED = Grouper(TOPOLOGY)

pieces = st.sampled_from(
    ["HTTP 503", "HTTP 404", "503 ", "(404)", "order 17", "order 18", "9f4ef63a", "9f4ef63b",
     "errno 28", "errno 111", " ", "", "\n", "x", "10.0.0.1", "user bob", "user", "=",
     "Error 1213:",      "timed out", "deadlock", "5 ms", "\ue004", "é", "SQLSTATE[23000] [2002]"]
)  # fmt: skip
messages = st.lists(pieces, max_size=4).map(" ".join) | st.text(max_size=40)
names = st.sampled_from(["", "a", "b", "f$1", "f$2"])
events = st.builds(
    ErrorEvent,
    service=st.just("s"),
    error_type=st.sampled_from(["E", "OSError", "RuntimeError", "sqlite3.OperationalError"]),
    message=messages,
    operation=names,
    function=names,
    environment=st.sampled_from(["production", "test"]),
    layer=st.sampled_from(["", "api", "core"]),
    severity=st.sampled_from(["", "", "fatal"]),
    category=st.sampled_from(["", "", "network"]),
    handled=st.sampled_from([None, False]),
    recoverable=st.sampled_from([None, True]),
    http_status=st.sampled_from([None, 429, 500]),
    fingerprint=st.sampled_from([[], ["{{ default }}"], ["k"], ["k", "{{ default }}"]]),
    causes=st.lists(
        st.builds(Cause, error_type=st.sampled_from(["C", "TimeoutError"]), message=messages),
        max_size=2,
    ),
    frames=st.lists(st.builds(Frame, module=names, function=names), max_size=3),
)


@settings(max_examples=600)
@given(events)
def test_memo_is_never_coarser(event: ErrorEvent) -> None:
    """Whatever was grouped before, the Grouper says what the computation afresh says."""
    fresh = group_of(event, CLASSIFIER)
    assert SHARED.group(event) == fresh
    assert SHARED.group(event) == fresh


def test_forgetting_changes_nothing() -> None:
    """A memo of one entry gives the same groups."""
    small = Grouper(TOPOLOGY, capacity=1)
    made = [ErrorEvent(service="s", error_type="E", message=f"{word} 1") for word in "abcab"]
    assert [small.group(one) for one in made] == [group_of(one, CLASSIFIER) for one in made]


def test_ids_share_one_group_object() -> None:
    """Messages with ever new ids share one Group, so that a flood costs no memory."""
    made = [
        ErrorEvent(
            service="s", error_type="E", message=f"order {n:08x}-0000-4000-8000-{n:012x} lost"
        )
        for n in range(50)
    ]
    assert len({id(SHARED.group(one)) for one in made}) == 1


def test_capacity_bound() -> None:
    """A capacity below one is refused."""
    with pytest.raises(ValueError, match="capacity must be at least 1, got 0"):
        Grouper(TOPOLOGY, capacity=0)


def test_messages_between_the_ends_of_a_long_chain_do_not_count() -> None:
    """Of more than four causes only the two at either end are read; all their types count."""

    def chain(at: int, **changed: str) -> ErrorEvent:
        causes = [Cause(error_type="acme.E", message=f"part {n} of it") for n in range(9)]
        causes[at] = msgspec.structs.replace(causes[at], **changed)
        return ErrorEvent(service="s", error_type="acme.Odd", message="x", causes=causes)

    grouper = Grouper(TOPOLOGY)
    for at in range(9):
        for changed in ({"message": "connection refused"}, {"error_type": "TimeoutError"}):
            event = chain(at, **changed)
            assert grouper.group(event) == group_of(event, CLASSIFIER)
