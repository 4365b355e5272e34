"""Reading topology.yaml: what is accepted, what is bounded, and that it never crashes."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from faultstream.config.errors import ConfigError
from faultstream.config.source import MAX_BYTES, MAX_DEPTH, Source
from faultstream.config.topology import examine, judge, load
from faultstream.core.policy import TOPIC_ROLES

ROOT = Path(__file__).parents[2]


def test_the_packaged_topology_is_the_one_in_the_root() -> None:
    """Without a path the package's own file is read, and it is the root's."""
    assert load() == load(ROOT / "topology.yaml")
    assert not examine().warnings


def test_the_packaged_topology_has_the_default_layers() -> None:
    """Row R1: thresholds and weights as the ledger gives them."""
    layers = load().layers
    bounds = {
        name: (layer.max_errors_per_minute, layer.escalation_threshold, layer.automatic)
        for name, layer in layers.items()
    }
    assert bounds == {
        "api": (20, 10, True),
        "service": (15, 8, True),
        "core": (10, 5, False),
        "infrastructure": (5, 3, True),
    }
    assert [(layer.weights.low, layer.weights.critical) for layer in layers.values()] == [
        (1, 8),
        (1.5, 12),
        (2, 16),
        (3, 24),
    ]
    assert set(load().topics) == set(TOPIC_ROLES)


def test_a_missing_file_is_named() -> None:
    """No traceback for a wrong path."""
    with pytest.raises(ConfigError, match=r"^/no/such\.yaml: cannot be read: No such file"):
        load(Path("/no/such.yaml"))


def test_size_is_bounded_from_both_sides(tmp_path: Path) -> None:
    """A file of the largest size is read, one byte more is not."""
    text = (Path(__file__).parent / "good.yaml").read_bytes()
    file = tmp_path / "large.yaml"
    file.write_bytes(text + b"#" * (MAX_BYTES - len(text)))
    assert examine(file).topology is not None
    file.write_bytes(text + b"#" * (MAX_BYTES - len(text) + 1))
    with pytest.raises(ConfigError, match="too large; must be at most 1048576 bytes"):
        load(file)


def test_no_utf8_is_refused(tmp_path: Path) -> None:
    """Bytes that are no text say where they begin."""
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"version: 1 # \xe9")
    with pytest.raises(ConfigError, match="no UTF-8 at byte 13"):
        load(file)


def test_depth_and_aliases_are_bounded() -> None:
    """Neither deep nesting nor aliases of aliases take more than the bound."""
    assert Source("a", "[" * MAX_DEPTH + "]" * MAX_DEPTH).value is not None
    with pytest.raises(ConfigError, match="too many values; must be at most 100000 values"):
        Source("a", "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2))
    with pytest.raises(ConfigError, match="no YAML"):
        Source("a", "[" * 100_000)
    laughs = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    laughs += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(ConfigError, match="too many values"):
        Source("a", "\n".join(laughs))


def test_an_alias_may_share_a_value() -> None:
    """Anchors and aliases for whole values are read as YAML means them."""
    assert Source("a", "a: &w {low: 1}\nb: *w").value == {"a": {"low": 1}, "b": {"low": 1}}


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(
    section=st.sampled_from(["topics", "layers", "routes", "strategies", "services", "detectors"]),
    value=plain,
)
def test_any_value_anywhere_gives_a_report(section: str, value: object) -> None:
    """Whatever stands in a section, the answer is a topology or problems, never a crash."""
    good = yaml.safe_load((Path(__file__).parent / "good.yaml").read_text("utf-8"))
    good[section] = value
    source = Source("x", yaml.safe_dump(good, allow_unicode=True))
    report = judge(source)
    assert (report.topology is None) == bool(report.problems)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Reading text gives plain values or a ConfigError."""
    try:
        Source("x", text)
    except ConfigError as exc:
        problems = exc.problems
    else:
        problems = ()
    assert all(problem.problem for problem in problems)
