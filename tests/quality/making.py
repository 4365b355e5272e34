"""A tiny folder of data sets in the form of the real ones."""

import csv
import gzip
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

T0 = 1_700_000_000.0


def folder(root: Path) -> Path:
    """Writes every data set that the report reads."""
    _table(root / "exceptions" / "classification_dev.csv", _EXCEPTIONS)
    lines = [f"user {name} logged in after {n} ms" for n, name in enumerate("abcdef")]
    texts = [*((one, "user <*> logged in after <*> ms") for one in lines), ("disk full", "full")]
    rows = [{"content": one, "event_template": true} for one, true in texts]
    _table(root / "logs" / "Small.csv.gz", rows)
    stack = {"project": "P", "error_type": "java.lang.E", "message": "m"}
    stacks = [
        {**stack, "bug": bug, "stack": [f"org.p.{place}(A.java:{line})"]}
        for bug, place, line in (("1", "A.x", 3), ("1", "A.x", 4), ("2", "B.y", 3))
    ]
    _lines(root / "stacks" / "events.jsonl.gz", stacks)
    _series(root / "series")
    _faults(root)
    return root


_EXCEPTIONS: list[dict[str, str]] = [
    {
        "id": str(number), "error_type": kind, "message": message, "library": library,
        "expected_category": category, "acceptable_categories": category,
        "expected_severity": severity, "transient": transient,
    }
    for number, (kind, message, library, category, severity, transient) in enumerate(
        [
            ("builtins.KeyError", "'x'", "python-stdlib", "code_bug", "medium", "no"),
            ("builtins.ConnectionError", "", "python-stdlib", "network", "high", "yes"),
            ("made.up.by.this.Test", "blue", "nobody", "business", "fatal", "yes"),
        ]
    )
]  # fmt: skip


def _series(root: Path) -> None:
    windows: dict[str, list[list[str]]] = {}
    for name in ("realAWSCloudwatch/a", "realTraffic/b", "artificialNoAnomaly/c"):
        peak = 900 if name != "artificialNoAnomaly/c" else -9
        rows = [
            {"timestamp": f"2026-01-01 {n // 60:02}:{n % 60:02}:00", "value": _value(n, peak)}
            for n in range(1_000)
        ]
        _table(root / "data" / f"{name}.csv.gz", rows)
        spans = [[f"{rows[890]['timestamp']}.000", f"{rows[910]['timestamp']}.000"]]
        windows[f"{name}.csv"] = spans if peak > 0 else []
    (root / "labels").mkdir()
    (root / "labels" / "combined_windows.json").write_text(json.dumps(windows))


def _value(number: int, peak: int) -> str:
    return "1000" if peak <= number < peak + 5 else str(50 + number % 7)


def _faults(root: Path) -> None:
    """A database fails, orders fails of it; log lines carry traces."""
    row = {"incident": "I-1", "level": "ERROR", "error_type": "E", "message": "lost"}
    events = [
        {**row, "service": service, "ts_unix": T0 + n / 10 + late, "trace_id": f"t{n}"}
        for n in range(20)
        for service, late in (("db", 0.0), ("orders", 0.05))
    ]
    calls = [{"caller": "orders", "callee": "db", "calls": 9}]
    cascade = {
        "incident": "I-1", "root_service": "db", "inject_unix": T0 - 1,
        "trace_cascades": [{"pairs": [["db", "orders"]]}],
    }  # fmt: skip
    incident = {"incident": "I-1", "first_failing_service": "db", "blast_radius": ["orders"]}
    _lines(root / "cascades" / "events.jsonl.gz", events)
    (root / "cascades" / "truth.json").write_text(json.dumps([cascade]))
    (root / "cascades" / "topology.json").write_text(json.dumps(calls))
    _lines(root / "incidents" / "events.jsonl.gz", events)
    (root / "incidents" / "truth.json").write_text(json.dumps([incident]))
    (root / "incidents" / "topology.json").write_text(json.dumps({"I-1": calls}))


def _table(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    raw = text.getvalue().encode()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
