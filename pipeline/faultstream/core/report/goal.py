"""Goal: something that was wanted, beside what was measured; the same in every report."""

import msgspec


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """One goal: its figure and whether it was met, both None where nothing could be measured.
    Figures are milliseconds, shares from 0 to 1, or counts; `shown` and `wanted` are for people.
    `of` says on what it was measured."""

    name: str
    figure: float | None
    shown: str
    wanted: str
    met: bool | None
    of: str = ""
