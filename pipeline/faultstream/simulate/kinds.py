"""The kinds of incident that can be planted: one function and one line in KINDS each."""

from collections.abc import Callable
from typing import Final

import msgspec

from faultstream.core.records import PatternKind
from faultstream.simulate.fleet import Place, above
from faultstream.simulate.planting import MINUTE_MS, Planting
from faultstream.simulate.scenario import IncidentKind

Fleet = dict[str, Place]


def _bad_config(p: Planting) -> None:
    p.deploy(p.service, p.start_ms)
    p.spread(p.service, p.name("config"), p.start_ms + 5_000, p.end_ms, p.rate(4, 25))


def _burst(p: Planting) -> None:
    p.spread(p.service, p.name("reset"), p.start_ms, p.end_ms, p.rate(6, 20))


def _cascade(p: Planting) -> None:
    """Nothing, where nothing depends on the service."""
    if not p.fleet[p.service].callers:
        return
    lag_ms = p.chance.uniform(300, 4_000)
    for cause in p.spread(p.service, p.name("db_down"), p.start_ms, p.end_ms, p.rate(3, 20)):
        p.climb(cause, "unavailable", 0.7, lag_ms=lag_ms)


def _certificate_expiry(p: Planting) -> None:
    for caller in p.fleet[p.service].callers:
        extra = p.fleet[caller].base * 5 + p.chance.uniform(15, 30)
        p.spread(caller, p.name("certificate"), p.start_ms, p.end_ms, p.wanted or extra)


def _correlated(p: Planting) -> None:
    """Two services that share a cause nobody sees: they rise together, again and again. Nothing,
    where every service has to do with this one."""
    near = {p.service, *(name for name, _ in above(p.fleet, p.service))}
    far = [
        name
        for name in p.fleet
        if name not in near and p.service not in (n for n, _ in above(p.fleet, name))
    ]
    if not far:
        return
    other = p.chance.choice(far)
    lag_ms = p.chance.uniform(1_000, 15_000)
    at = float(p.start_ms)
    for _ in range(7):
        length = p.chance.uniform(40_000, 80_000)
        rate = p.fleet[other].base * 5 + 20
        p.spread(p.service, p.name("cache_miss"), at, at + length, p.rate(5, 20))
        p.spread(other, p.name("cache_miss"), at + lag_ms, at + lag_ms + length, rate)
        at += p.chance.uniform(8, 16) * MINUTE_MS


def _critical_single(p: Planting) -> None:
    p.at(p.service, p.name("corrupt"), p.start_ms)


def _cron(p: Planting) -> None:
    period = p.chance.choice((5, 10, 15)) * MINUTE_MS
    at = p.start_ms
    while at < p.end_ms:
        p.at(p.service, p.name("batch"), at + p.chance.uniform(0, 2_000))
        at += period


def _dependency_slow(p: Planting) -> None:
    """The slow one says nothing itself; those who call it time out."""
    for caller in p.fleet[p.service].callers:
        rate = p.wanted or p.fleet[caller].base * 5 + p.chance.uniform(15, 30)
        p.spread(caller, p.name("upstream_timeout"), p.start_ms, p.end_ms, rate)


def _disk_full(p: Planting) -> None:
    p.spread(p.service, p.name("disk"), p.start_ms, p.end_ms, p.rate(1, 12), instance=0)


def _dominant_type(p: Planting) -> None:
    p.spread(p.service, p.name("flaky"), p.start_ms, p.end_ms, p.rate(2.5, 25))


def _failover(p: Planting) -> None:
    p.spread(p.service, p.name("db_down"), p.start_ms, p.end_ms, p.rate(6, 40))


def _flapping(p: Planting) -> None:
    at = float(p.start_ms)
    while at < p.end_ms:
        length = p.chance.uniform(60_000, 120_000)
        p.spread(p.service, p.name("flaky"), at, at + length, p.rate(6, 25))
        at += length + p.chance.uniform(90_000, 180_000)


def _high_rate(p: Planting) -> None:
    p.spread(p.service, p.name("unavailable"), p.start_ms, p.end_ms, p.rate(2, 1_000))


def _memory_leak(p: Planting) -> None:
    p.spread(p.service, p.name("gc"), p.start_ms, p.end_ms, p.rate(1.5, 12), doubling_ms=420_000)
    p.feel(p.end_ms)
    p.at(p.service, "memory", p.end_ms, instance=0)
    p.spread(p.service, "restart", p.end_ms + 500, p.end_ms + 20_000, 12, instance=0)


def _novel_after_deploy(p: Planting) -> None:
    p.deploy(p.service, p.start_ms)
    p.spread(p.service, p.name("novel"), p.start_ms + 10_000, p.end_ms, p.rate(0.2, 1.5))


def _partner_rate_limit(p: Planting) -> None:
    p.spread(p.service, p.name("too_many"), p.start_ms, p.end_ms, p.rate(4, 18))


def _poison_message(p: Planting) -> None:
    """One message that cannot be read is tried again, with a pause that doubles to a minute."""
    at, pause = float(p.start_ms), 2_000.0
    while at < p.end_ms:
        p.at(p.service, p.name("poison"), at, instance=0)
        at += pause * p.chance.uniform(0.9, 1.1)
        pause = min(2 * pause, 60_000.0)


def _pool_exhaustion(p: Planting) -> None:
    for cause in p.spread(
        p.service, p.name("pool"), p.start_ms, p.end_ms, p.rate(6, 30), doubling_ms=120_000
    ):
        p.climb(cause, "unavailable", 0.4, lag_ms=1_000)


def _recovery_loop(p: Planting) -> None:
    """Whatever is done about it seems to help for a minute or two."""
    at = float(p.start_ms)
    while at < p.end_ms:
        length = p.chance.uniform(20_000, 40_000)
        p.spread(p.service, p.name("broker"), at, at + length, p.rate(5, 30))
        at += length + p.chance.uniform(60_000, 150_000)


def _recurring(p: Planting) -> None:
    p.spread(p.service, p.name("refund"), p.start_ms, p.end_ms, p.rate(0.7, 0.6))


def _regression(p: Planting) -> None:
    """Known, mended by a release, gone for hours, back with the next release."""
    hour = 60 * MINUTE_MS
    p.spread(p.service, p.name("returning"), p.start_ms, p.start_ms + hour, p.rate(0.1, 0.8))
    p.deploy(p.service, p.start_ms + hour)
    back = p.start_ms + hour + p.chance.uniform(1.5, 3.0) * hour
    p.deploy(p.service, back)
    p.feel(back)
    p.spread(p.service, p.name("returning"), back, back + hour / 3, p.rate(0.1, 1.0))


def _retry_storm(p: Planting) -> None:
    p.spread(
        p.service, p.name("upstream_timeout"), p.start_ms, p.end_ms, p.rate(3, 1_500),
        doubling_ms=60_000,
    )  # fmt: skip


def _sequence(p: Planting) -> None:
    at = float(p.start_ms)
    lag_ms = p.chance.uniform(4_000, 15_000)
    for _ in range(10):
        p.at(p.service, p.name("stock"), at)
        p.at(p.service, "refund", at + lag_ms * p.chance.uniform(0.8, 1.2))
        at += p.chance.uniform(3, 14) * MINUTE_MS


def _slow_degradation(p: Planting) -> None:
    rise = p.start_ms + (p.end_ms - p.start_ms) * 0.8
    rate = p.rate(6, 25)
    p.spread(p.service, p.name("upstream_timeout"), p.start_ms, rise, rate, doubling_ms=360_000)
    p.spread(p.service, p.name("upstream_timeout"), rise, p.end_ms, rate)


def _zone_outage(p: Planting) -> None:
    """The first instance of everything is cut off."""
    others = [name for name in p.fleet if name != p.service]
    for name in [p.service, *p.chance.sample(others, min(4, len(others)))]:
        rate = p.wanted or p.fleet[name].base * 5 + p.chance.uniform(15, 30)
        p.spread(name, p.name("refused"), p.start_ms, p.end_ms, rate, instance=0)


def _always(place: Place, fleet: Fleet) -> bool:  # noqa: ARG001 (one signature for all)
    return True


def _called(place: Place, fleet: Fleet) -> bool:  # noqa: ARG001 (one signature for all)
    return bool(place.callers)


def _deep(place: Place, fleet: Fleet) -> bool:
    return 2 <= len(above(fleet, place.name)) <= 12


def _lonely(place: Place, fleet: Fleet) -> bool:
    return len(above(fleet, place.name)) < len(fleet) // 3


def _automatic(place: Place, fleet: Fleet) -> bool:  # noqa: ARG001 (one signature for all)
    """Where recovery needs no approval by default, so that it can go round in circles."""
    return place.spec.layer != "core"


class Kind(msgspec.Struct, frozen=True):
    """A kind: what happens, how it is planted, which patterns must be found, how long it lasts in
    minutes (drawn between the two), where it can happen. See Truth for `critical` and `slow`."""

    says: str
    plant: Callable[[Planting], None]
    must: tuple[PatternKind, ...]
    minutes: tuple[float, float]
    critical: bool = False
    slow: bool = False
    suits: Callable[[Place, Fleet], bool] = _always


KINDS: Final[dict[IncidentKind, Kind]] = {
    "bad_config": Kind(
        "a deploy without a setting: every request fails", _bad_config, ("novel", "burst"), (4, 10)
    ),
    "burst": Kind("an error comes several times as often, for minutes", _burst, ("burst",), (2, 6)),
    "cascade": Kind(
        "a database fails; what depends on it follows, with traces and parents",
        _cascade,
        ("cascade",),
        (2, 5),
        critical=True,
        suits=_deep,
    ),
    "certificate_expiry": Kind(
        "all callers refuse a certificate at once",
        _certificate_expiry,
        ("burst",),
        (5, 15),
        critical=True,
        suits=_called,
    ),
    "correlated": Kind(
        "two services without a common dependency rise together, seven times",
        _correlated,
        ("correlation",),
        (60, 90),
        slow=True,
        suits=_lonely,
    ),
    "critical_single": Kind(
        "one critical error", _critical_single, ("critical",), (1, 1), critical=True
    ),
    "cron": Kind("an error every 5, 10 or 15 minutes", _cron, ("periodic",), (180, 240), slow=True),
    "dependency_slow": Kind(
        "the callers of a silent service time out",
        _dependency_slow,
        ("burst",),
        (4, 10),
        suits=_called,
    ),
    "disk_full": Kind(
        "no space left on one instance", _disk_full, ("critical",), (3, 8), critical=True
    ),
    "dominant_type": Kind("one type outweighs all others", _dominant_type, ("dominant",), (3, 8)),
    "failover": Kind(
        "a database is away for about a minute", _failover, ("burst",), (0.7, 1.5), critical=True
    ),
    "flapping": Kind(
        "on for a minute or two, off for two or three", _flapping, ("burst",), (15, 25)
    ),
    "high_rate": Kind(
        "about 17 errors a second", _high_rate, ("high_rate",), (1.5, 3), critical=True
    ),
    "memory_leak": Kind(
        "slow requests more and more, then out of memory",
        _memory_leak,
        ("critical",),
        (30, 50),
        critical=True,
    ),
    "novel_after_deploy": Kind(
        "a new error, once or twice a minute, since a deploy",
        _novel_after_deploy,
        ("novel",),
        (15, 30),
    ),
    "partner_rate_limit": Kind(
        "a partner answers 429 for a while", _partner_rate_limit, ("burst",), (10, 30)
    ),
    "poison_message": Kind(
        "one message tried again and again", _poison_message, ("recurring",), (8, 20)
    ),
    "pool_exhaustion": Kind(
        "a connection pool runs dry, callers follow", _pool_exhaustion, ("burst",), (8, 12)
    ),
    "recovery_loop": Kind(
        "recovery seems to help, and the fault is back two minutes later",
        _recovery_loop,
        ("recovery_loop",),
        (15, 20),
        slow=True,
        suits=_automatic,
    ),
    "recurring": Kind("one error again and again", _recurring, ("recurring",), (20, 40)),
    "regression": Kind(
        "known, mended by a release, gone for hours, back with the next",
        _regression,
        ("regression",),
        (240, 240),
    ),
    "retry_storm": Kind(
        "doubling every minute up to 25 errors a second",
        _retry_storm,
        ("burst", "high_rate"),
        (5, 8),
        critical=True,
    ),
    "sequence": Kind(
        "A, and some seconds later B, ten times", _sequence, ("sequence",), (60, 120), slow=True
    ),
    "slow_degradation": Kind(
        "a rate doubles every six minutes, then stays",
        _slow_degradation,
        ("degradation",),
        (25, 45),
    ),
    "zone_outage": Kind(
        "one instance of five services is cut off", _zone_outage, ("burst",), (3, 8), critical=True
    ),
}
"""By name."""
