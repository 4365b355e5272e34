"""Operations from files: YAML and JSON, errors by file, line and path."""

from pathlib import Path

import pytest

from faultstream.client import OperationsFileError, operations_from_file

GOOD = """
charge:
  dependency: stripe
  retry: {max_attempts: 2, backoff: fixed, delay_ms: 1}
  breaker: {window_size: 20, minimum_calls: 10}
search:
  timeout: {ms: 200}
"""


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_a_file_gives_operations(tmp_path: Path, suffix: str) -> None:
    """The same from YAML and JSON; every primitive knows what it depends on."""
    path = tmp_path / f"resilience{suffix}"
    json = '{"charge": {"dependency": "stripe", "retry": {"max_attempts": 2}, "breaker": {}}, "search": {"timeout": {"ms": 200}}}'  # noqa: E501
    path.write_text(GOOD if suffix == ".yaml" else json, "utf-8")
    made = operations_from_file(path)
    charge, search = made["charge"], made["search"]
    assert charge.retry is not None
    assert charge.breaker is not None
    assert search.timeout is not None
    assert charge.retry.plan.local.max_attempts == 2
    assert {one.dependency for one in (charge, charge.retry, charge.breaker)} == {"stripe"}
    assert (search.timeout.seconds, search.timeout.dependency) == (0.2, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("charge:\n  breker: {}\n", ":2: charge.breker: expected one of fallback, "),
        (
            "charge:\n\n  retry: {max_attempts: 0}\n",
            ":3: charge.retry.max_attempts: expected a whole",
        ),
        ("charge:\n  timeout: {}\n", ":2: charge.timeout.ms: is missing"),
        ("charge:\n  timeout:\n    ms: 2s\n", ":3: charge.timeout.ms: expected a number of at "),
        (
            "charge:\n  breaker:\n    open_ms: 5\n    windw_size: 3\n",
            ":4: charge.breaker.windw_size: expected one of failure_ratio, slow_ratio, ",
        ),
        ("charge:\n  retry: 3\n", ":2: charge.retry: expected settings, got 3"),
        ("charge:\n  dependency: 3\n", ":2: charge.dependency: expected a name, got 3"),
        ("charge: {}\ncharge: {}\n", ":2: charge is there twice"),
        ("a: &x {}\nb: *x\n", ":2: aliases are not allowed"),
        ("charge: !!python/object:os.system {}\n", ":1: could not determine a constructor"),
        ("charge: {\n", ":2: expected the node content"),
        ("- charge\n", ": expected operations by name"),
        ("", ": expected operations by name"),
        ("[" * 5_000, ":1: nested more than 20 deep"),
        ("\x00", ": no YAML"),
        ("a" * 200_001, ": more than 200000 bytes"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    """File, line, path in the file, and what was expected."""
    path = tmp_path / "resilience.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(OperationsFileError) as caught:
        operations_from_file(path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absent, broken JSON, and YAML where PyYAML is not installed."""
    with pytest.raises(OperationsFileError, match="No such file"):
        operations_from_file(tmp_path / "absent.yaml")
    broken = tmp_path / "broken.json"
    broken.write_text("{", "utf-8")
    with pytest.raises(OperationsFileError, match=r"broken\.json: "):
        operations_from_file(broken)
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    good = tmp_path / "good.yaml"
    good.write_text(GOOD, "utf-8")
    with pytest.raises(OperationsFileError, match=r"JSON works without \(pip install pyyaml\)"):
        operations_from_file(good)
