"""Sampling rules: which errors they are for, and what they refuse."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultstream import wire
from faultstream.core.errors import DataError
from faultstream.core.records import Control
from faultstream.core.sampling import Sample, sample_of, sampling


def control(sample: Sample, until_ms: int | None = 2_000) -> Control:
    """As `faultstream sample` writes it."""
    return sampling(
        sample, environment="production", by="ada", reason="flood", now_ms=1_000, until_ms=until_ms
    )


def test_a_rule_survives_the_topic() -> None:
    """What was set is what clients read; the key is the same for the same errors."""
    sample = Sample(service="orders", error_type="*Timeout*", ratio=0.25, first=3, hold_ms=500)
    record = control(sample)
    assert sample_of(wire.decode(Control, wire.encode(record))) == sample
    other = Sample(service="orders", error_type="*Timeout*", ratio=0.5)
    assert control(other).subject == record.subject
    assert control(Sample(service="orders", ratio=0.5)).subject != record.subject
    assert control(sample, None).active is False


@pytest.mark.parametrize(
    ("sample", "service", "error_type", "fits"),
    [
        (Sample(ratio=0), "any", "Any", True),
        (Sample(service="orders", ratio=0), "orders", "KeyError", True),
        (Sample(service="orders", ratio=0), "order", "KeyError", False),
        (Sample(error_type="KeyError", ratio=0), "orders", "KeyError", True),
        (Sample(error_type="*Key*", ratio=0), "orders", "app.KeyError", True),
        (Sample(error_type="KeyError", ratio=0), "orders", "app.KeyError", False),
    ],
)
def test_whom_a_rule_is_for(sample: Sample, service: str, error_type: str, *, fits: bool) -> None:
    """Service by name, type by pattern; what is left empty is any."""
    assert sample.fits(service, error_type) is fits


def test_the_most_particular_rule_has_the_highest_rank() -> None:
    """Fingerprint before type before service."""
    rules = [
        Sample(fingerprint="f", ratio=1),
        Sample(error_type="E", service="s", ratio=1),
        Sample(error_type="E", ratio=1),
        Sample(service="s", ratio=1),
        Sample(ratio=1),
    ]
    assert sorted(rules, key=lambda rule: rule.rank, reverse=True) == rules


@pytest.mark.parametrize(
    "parameters", [{}, {"ratio": 1.1}, {"ratio": -0.1}, {"ratio": 1, "first": -1},
                   {"ratio": 1, "hold_ms": 99}, {"ratio": 1, "hold_ms": 300_001}],
)  # fmt: skip
def test_bounds(parameters: dict[str, object]) -> None:
    """What is out of bounds is a DataError."""
    record = Control(
        control_id="c", kind="sample", subject="sample/x", set_at_ms=1, parameters=parameters
    )
    with pytest.raises(DataError, match=r"parameters: "):
        sample_of(record)


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.integers(), st.text(), st.floats())))
def test_any_parameters_are_a_rule_or_refused(parameters: dict[str, object]) -> None:
    """Nothing else comes out."""
    record = Control(
        control_id="c", kind="sample", subject="sample/x", set_at_ms=1, parameters=parameters
    )
    with contextlib.suppress(DataError):
        assert 0 <= sample_of(record).ratio <= 1
