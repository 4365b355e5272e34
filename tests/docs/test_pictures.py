"""Every kind of pattern has a picture in the docs, and the script that draws them a plan for it."""

import ast
from pathlib import Path
from typing import get_args

from faultstream.core.records import PatternKind

ROOT = Path(__file__).resolve().parents[2]


def test_every_kind_has_a_picture() -> None:
    """A new kind of pattern is drawn before it is released."""
    pictures = (ROOT / "docs/how-it-works/patterns.md").read_text().partition("## Pictures")[2]
    source = ast.parse((ROOT / "benchmarks/pictures.py").read_text())
    plans = next(
        one.value
        for one in source.body
        if isinstance(one, ast.AnnAssign) and ast.unparse(one.target) == "PLANS"
    )
    assert plans is not None
    for kind in get_args(PatternKind):
        assert f"\n{kind}: " in pictures
        assert f"'{kind}': Plan(" in ast.unparse(plans)
