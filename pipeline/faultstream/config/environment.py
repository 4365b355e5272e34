"""Environment variables that look like settings and are none."""

import difflib
from collections.abc import Collection, Mapping
from typing import Final

from faultstream.config.errors import Problem
from faultstream.config.settings import PREFIX, VARIABLES

_OURS: Final = frozenset({f"{PREFIX}DEMO_SETUP", f"{PREFIX}KAFKA_JARS"})
"""Set by a part of faultstream for another, and what benchmarks and tests read."""


def misspelt(env: Mapping[str, str], named: Collection[str] = ()) -> list[Problem]:
    """One warning for each variable with our prefix that nobody reads; `named` are those that the
    topology names. Values are not shown, they may be secrets."""
    known = {PREFIX + one.name for one in VARIABLES}
    strange = {name for name in env if name.startswith(PREFIX)} - known - _OURS - set(named)
    return [
        Problem("environment", name, "no setting has this name", mend=_mend(name, known))
        for name in sorted(strange)
    ]


def _mend(name: str, known: Collection[str]) -> str:
    """The nearest one: it has a word in common, or is written in nearly the same way."""
    bare = name.removeprefix(PREFIX)
    names = sorted(one.removeprefix(PREFIX) for one in known)
    near = difflib.get_close_matches(bare, names, n=1, cutoff=0.6)
    shared = [one for one in names if set(one.split("_")) & set(bare.split("_"))]
    found = near or sorted(shared, key=len)
    return f"Did you mean {PREFIX}{found[0]}?" if found else ""
