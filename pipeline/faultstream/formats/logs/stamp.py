"""Times as logs write them, to milliseconds since the epoch."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from faultstream.wire import parse_time

_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_SYSLOG: Final = re.compile(r"([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2})")
_COMMON: Final = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{4})")
_CLOCK: Final = re.compile(r"\d{2}:\d{2}:\d{2}(?:[.,]\d{1,6})?")


class Now(NamedTuple):
    """When and where a line is read: for times without a year, a day or a zone."""

    ms: int
    zone: tzinfo = UTC


def milliseconds(text: str, now: Now) -> int | None:
    """The time that `text` says, None when it is none. What it leaves out comes from `now`.

    Known are ISO 8601 (also with `,` before the fraction and ` ` before the zone), nginx's
    2026/11/22 02:01:39, the common log format, syslog's Nov 22 02:01:39 and a bare clock time.
    """
    text = text.strip("[]()")
    try:
        return _known(text, now)
    except (ValueError, OverflowError):
        return None


def epoch(number: float) -> int | None:
    """Seconds, milliseconds, micro- or nanoseconds since the epoch, told apart by their size."""
    if not 0 < number < 1e19:
        return None
    for limit, factor in ((1e11, 1e3), (1e14, 1.0), (1e17, 1e-3)):
        if number < limit:
            return int(number * factor)
    return int(number / 1e6)


def _known(text: str, now: Now) -> int | None:
    common = _COMMON.fullmatch(text)
    if common:
        day, month, year, clock, zone = common.groups()
        return parse_time(f"{year}-{_month(month):02}-{day}T{clock}{zone}")
    here = datetime.fromtimestamp(now.ms / 1000, now.zone)
    syslog = _SYSLOG.fullmatch(text)
    if syslog:
        month, day, *clock_parts = syslog.groups()
        hour, minute, second = map(int, clock_parts)
        moment = here.replace(
            month=_month(month), day=int(day), hour=hour, minute=minute, second=second,
            microsecond=0,
        )  # fmt: skip
        if moment > here + timedelta(days=2):  # December, read in January
            moment = moment.replace(year=moment.year - 1)
        return round(moment.timestamp() * 1000)
    if _CLOCK.fullmatch(text):
        text = f"{here:%Y-%m-%d}T{text}"
    text = text.replace("/", "-", 2).replace(",", ".")
    text = re.sub(r" (?=[+-]\d{2}:?\d{2}$|Z$)", "", text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=now.zone)
    return round(moment.timestamp() * 1000)


def _month(name: str) -> int:
    return _MONTHS.index(name) // 3 + 1
