"""Lengths of time and times on the command line, and the clock they are taken from."""

import re
import time
from datetime import datetime
from typing import Final

import click

_UNITS_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
MAX_MS: Final = 366 * 86_400_000


class Duration(click.ParamType):
    """`30s`, `10m`, `2h` or `7d` as milliseconds; above 0, at most 366 days."""

    name = "length"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Milliseconds."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,9})([smhd])", str(value).strip())
        length_ms = int(match[1]) * _UNITS_MS[match[2]] if match else 0
        if not 0 < length_ms <= MAX_MS:
            self.fail(f"{value!r} is no length of time such as 30s, 10m, 2h or 7d", param, ctx)
        return length_ms


class Moment(click.ParamType):
    """A time as milliseconds since the epoch: `2026-01-05T22:00` by this machine's clock, with a
    zone (`+01:00`, `Z`) by that, or a length such as `2h` from now."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Milliseconds since the epoch."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        if re.fullmatch(r"[0-9]{1,9}[smhd]", text):
            return now_ms() + DURATION.convert(text, param, ctx)
        try:
            return int(datetime.fromisoformat(text).timestamp() * 1000)
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is no time such as 2026-01-05T22:00 or 2h", param, ctx)


DURATION: Final = Duration()
MOMENT: Final = Moment()


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
