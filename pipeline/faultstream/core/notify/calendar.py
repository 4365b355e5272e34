"""Calendar: time intervals with Alertmanager's names and meaning, by the clock of a time zone.

A name stands for several intervals, and a time is in it when it is in one of them. Time zones come
from the system's or Python's copy of the IANA data, read once per zone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from faultstream.core.policy import TimeIntervalPolicy, TimeRangePolicy

WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_LONGEST_MONTH: Final = 31

Range = tuple[int, int]
"""First and last, both in it."""

_Number = Callable[[str], int]


class CalendarError(ValueError):
    """A text is no range or no time zone; says why."""


class Interval(msgspec.Struct, frozen=True):
    """One interval, taken apart. Minutes of the day end before their second number."""

    zone: tzinfo
    minutes: tuple[Range, ...]
    weekdays: tuple[Range, ...]
    days: tuple[Range, ...]
    months: tuple[Range, ...]
    years: tuple[Range, ...]

    def contains(self, now_ms: int) -> bool:
        """Whether this time is in it."""
        local = datetime.fromtimestamp(now_ms / 1000, self.zone)
        minute = local.hour * 60 + local.minute
        return (
            (not self.minutes or any(start <= minute < end for start, end in self.minutes))
            and _in(local.isoweekday() % 7, self.weekdays)
            and (not self.days or any(_in_month(local, *one) for one in self.days))
            and _in(local.month, self.months)
            and _in(local.year, self.years)
        )


@lru_cache(maxsize=1_024)
def interval(policy: TimeIntervalPolicy) -> Interval:
    """The interval that a policy describes.

    Raises:
        CalendarError: it describes none.
    """
    return Interval(
        zone=zone(policy.location),
        minutes=tuple(_minutes(one) for one in policy.times),
        weekdays=tuple(_named(text, WEEKDAYS, 0) for text in policy.weekdays),
        days=tuple(_days(text) for text in policy.days_of_month),
        months=tuple(_named(text, MONTHS, 1) for text in policy.months),
        years=tuple(_range(text, _number) for text in policy.years),
    )


@lru_cache(maxsize=256)
def zone(location: str) -> tzinfo:
    """The time zone of that name.

    Raises:
        CalendarError: there is none.
    """
    if location == "UTC":
        return UTC
    try:
        return ZoneInfo(location)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise CalendarError(f"{location[:80]!r} is no time zone such as Europe/Berlin") from exc


def within(
    names: Iterable[str], known: Mapping[str, Sequence[TimeIntervalPolicy]], now_ms: int
) -> str:
    """The first of the names that this time is in, or ''."""
    for name in names:
        if any(interval(one).contains(now_ms) for one in known.get(name, ())):
            return name
    return ""


def _in(value: int, ranges: Sequence[Range]) -> bool:
    return not ranges or any(first <= value <= last for first, last in ranges)


def _in_month(local: datetime, first: int, last: int) -> bool:
    """Negative days count from the end of the month; what is past its end is not in it."""
    length = _days_in_month(local)
    first = length + first + 1 if first < 0 else first
    last = length + last + 1 if last < 0 else last
    return first <= local.day <= last


def _days_in_month(local: datetime) -> int:
    after = datetime(local.year + local.month // 12, local.month % 12 + 1, 1, tzinfo=UTC)
    return (after - datetime(local.year, local.month, 1, tzinfo=UTC)).days


def _minutes(one: TimeRangePolicy) -> Range:
    start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (one.start_time, one.end_time))
    if start >= end:
        raise CalendarError(f"{one.start_time} is not before {one.end_time}")
    return start, end


def _days(text: str) -> Range:
    first, last = _parts(text, _number)
    for day in (first, last):
        if day == 0 or abs(day) > _LONGEST_MONTH:
            raise CalendarError(f"{text[:80]!r} is no range of days from 1 to 31, or -31 to -1")
    if first < 0 < last or ((first < 0) == (last < 0) and first > last):
        raise CalendarError(f"{text[:80]!r} ends before it begins")
    return first, last


def _named(text: str, names: Sequence[str], first: int) -> Range:
    def number(part: str) -> int:
        if part.lower() in names:
            return names.index(part.lower()) + first
        if first and part.isascii() and part.isdigit() and 1 <= int(part) <= len(names):
            return int(part)
        raise CalendarError(f"{part[:80]!r} is none of {', '.join(names)}")

    return _range(text, number)


def _range(text: str, number: _Number) -> Range:
    first, last = _parts(text, number)
    if first > last:
        raise CalendarError(f"{text[:80]!r} ends before it begins")
    return first, last


def _parts(text: str, number: _Number) -> Range:
    first, colon, last = text.partition(":")
    begin = number(first.strip())
    return begin, number(last.strip()) if colon else begin


def _number(text: str) -> int:
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 4:
        raise CalendarError(f"{text[:80]!r} is no number")
    return int(text)
