"""Receiving: the endpoints that take errors. All go one way: read, admit, publish, answer.

The answer comes when Kafka has stored what was accepted, so what was answered with 202 (200 where a
protocol says so) is not lost, whatever happens to the gateway.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from faultstream.core.errors import DataError
from faultstream.core.event import ErrorEvent
from faultstream.core.policy import GatewayPolicy
from faultstream.formats import sentry
from faultstream.formats.found import Found, Refused
from faultstream.gateway import admission, otlp_forms
from faultstream.gateway.access import OPEN, Access, Caller
from faultstream.gateway.allowance import Allowance
from faultstream.gateway.body import Bodies
from faultstream.gateway.errors import AwayError, ProblemError
from faultstream.gateway.posting import Posting
from faultstream.gateway.publisher import Publisher
from faultstream.gateway.split import split, timed
from faultstream.ops.clock import now_ms
from faultstream.ops.metrics import GATEWAY_RECORDS

MOST_TOLD: Final = 100
"""Refusals that an answer names; the others are counted."""
_STRETCH: Final = 200
"""Records that are admitted before others get a turn."""
_NAME: Final = re.compile(r"[A-Za-z][\w.-]{0,100}")
_HEXES: Final = re.compile(r"[0-9a-f]{32}")


class Outcome(msgspec.Struct):
    """What became of a request's records."""

    ids: list[str]
    refused: list[Refused]
    ignored: dict[str, int]

    def plain(self) -> dict[str, Any]:
        """As an answer says it."""
        told: dict[str, Any] = {"accepted": len(self.ids), "ids": self.ids}
        if self.refused:
            told["refused_count"] = len(self.refused)
            told["refused"] = [one._asdict() for one in self.refused[:MOST_TOLD]]
        if self.ignored:
            told["ignored"] = self.ignored
        return told


class Read(msgspec.Struct):
    """What a request held, admitted: events with where they stood and whether they told their
    time."""

    form: str
    events: list[tuple[str, ErrorEvent, bool]] = []
    refused: list[Refused] = []
    ignored: dict[str, int] = {}

    def add(self, where: str, made: ErrorEvent | Refused, *, timed: bool) -> None:
        """One record, or why it is none."""
        if isinstance(made, Refused):
            self.refused.append(made)
        else:
            self.events.append((where, made, timed))


class Receiving:
    """See the module."""

    def __init__(self, access: Access, policy: GatewayPolicy, publisher: Publisher) -> None:
        self._access = access
        self._policy = policy
        self._publisher = publisher
        self._posting = Posting(publisher, wait_s=policy.wait_ms / 1_000)
        self._allowance = Allowance(policy.records_per_s, policy.burst_records)
        self._bodies = Bodies(
            max_bytes=policy.max_body_bytes,
            max_unpacked=policy.max_unpacked_bytes,
            most_at_once=policy.max_bodies_bytes,
        )

    def add_to(self, app: web.Application) -> None:
        """The routes."""
        app.router.add_post("/v1/errors", self._native)
        app.router.add_post("/v1/logs", self._logs)
        app.router.add_post("/v1/traces", self._traces)
        app.router.add_post("/v1/metrics", self._metrics)
        for tail in ("envelope", "store"):
            for end in ("", "/"):
                path = f"/api/{{project:[\\w.-]{{1,100}}}}/{tail}{end}"
                app.router.add_post(path, getattr(self, f"_{tail}"))
                app.router.add_route("OPTIONS", path, _preflight)

    async def _native(self, request: web.Request) -> web.Response:
        caller = self._access.admit(request, "send")
        self._must_be_there(request)
        async with self._bodies.read(request) as body:
            values = self._counted(split(body, request.content_type), "native")
            now = now_ms()
            read = Read("native")
            for at, (where, value) in enumerate(values):
                read.add(where, admission.raw(value, where, now), timed=timed(value))
                await _turn(at)
            outcome = await self._publish(request, body, caller, read)
        if not outcome.ids and outcome.refused:
            raise ProblemError(400, "no record can be used", **outcome.plain())
        return web.json_response(outcome.plain(), status=202)

    async def _envelope(self, request: web.Request) -> web.Response:
        outcome, body = await self._foreign(request, "sentry", sentry.envelope, _service(request))
        return _sentry_answer(outcome, body)

    async def _store(self, request: web.Request) -> web.Response:
        outcome, body = await self._foreign(request, "sentry", sentry.event, _service(request))
        return _sentry_answer(outcome, body)

    async def _logs(self, request: web.Request) -> web.Response:
        return await self._otlp(request, otlp_forms.LOGS)

    async def _traces(self, request: web.Request) -> web.Response:
        return await self._otlp(request, otlp_forms.TRACES)

    async def _otlp(self, request: web.Request, signal: otlp_forms.Signal) -> web.Response:
        as_json = otlp_forms.is_json(request)
        reading = signal.from_json if as_json else signal.from_protobuf
        outcome, _ = await self._foreign(request, "otlp", reading, _of_token)
        return otlp_forms.answer(signal, outcome.refused, as_json=as_json)

    async def _metrics(self, request: web.Request) -> web.Response:
        """A status that exporters do not try again."""
        self._access.admit(request, "send")
        mend = "send no metrics here; `faultstream watch` reads those that are scraped"
        raise ProblemError(501, "metrics are no errors", mend=mend)

    async def _foreign(
        self,
        request: web.Request,
        form: str,
        reading: Callable[[bytes, str], Found],
        service: Callable[[Caller], str],
    ) -> tuple[Outcome, bytes]:
        caller = self._access.admit(request, "send")
        self._must_be_there(request)
        async with self._bodies.read(request) as body:
            try:
                found = reading(body, service(caller))
            except DataError as exc:
                raise _unreadable(exc) from exc
            self._counted(found.events, form)
            now = now_ms()
            read = Read(form, refused=found.refused, ignored=found.ignored)
            for at, (where, event) in enumerate(found.events):
                timed = event.time is not None
                read.add(where, admission.bounded(event, where, now), timed=timed)
                await _turn(at)
            return await self._publish(request, body, caller, read), body

    def _must_be_there(self, request: web.Request) -> None:
        """No body is read while Kafka is away; it could not be kept."""
        if self._publisher.away:
            if request.transport is not None and request.content_length is None:
                request.protocol.force_close()
            raise AwayError(self._publisher.away)

    def _counted(self, records: Sequence[Any], form: str) -> Sequence[Any]:
        if len(records) > self._policy.max_records:
            GATEWAY_RECORDS.labels(form, "refused").inc(len(records))
            detail = f"{len(records)} records; at most {self._policy.max_records} are taken at once"
            raise ProblemError(413, "too many records", detail, mend="send fewer records at once")
        return records

    async def _publish(
        self, request: web.Request, body: bytes, caller: Caller, found: Read
    ) -> Outcome:
        counter, form, events = GATEWAY_RECORDS.labels, found.form, found.events
        wait_s = self._allowance.take(caller.name, max(1, len(events)))
        if wait_s:
            counter(form, "limited").inc(max(1, len(events)))
            detail = f"more than {self._policy.records_per_s:g} records a second of {caller.name}"
            raise ProblemError(429, "too many records", detail, retry_after_s=wait_s)
        records = admission.parcels(
            events,
            body=body,
            caller=caller.name,
            once=request.headers.get("Idempotency-Key", "")[:200],
            traceparent=request.headers.get("traceparent", "")[:60],
        )
        try:
            known = await self._posting.post(records)
        except AwayError:
            counter(form, "unavailable").inc(len(records))
            raise
        counter(form, "refused").inc(len(found.refused))
        counter(form, "ignored").inc(sum(found.ignored.values()))
        counter(form, "duplicate").inc(known)
        counter(form, "accepted").inc(len(records) - known)
        return Outcome([one.event_id for one in records], found.refused, found.ignored)


async def _turn(at: int) -> None:
    if at % _STRETCH == _STRETCH - 1:
        await asyncio.sleep(0)


def _unreadable(exc: DataError) -> ProblemError:
    status = 413 if exc.stage == "size" else 400
    return ProblemError(status, "the body cannot be read", exc.reason)


def _service(request: web.Request) -> Callable[[Caller], str]:
    """Of an event that does not name its own: the token's name, else the DSN's key where that is
    no secret, else the project."""
    project = request.match_info["project"]

    def service(caller: Caller) -> str:
        return _of_token(caller) or f"project-{project}"

    return service


def _of_token(caller: Caller) -> str:
    if caller.name != OPEN:
        return caller.name
    given = caller.given
    return given if _NAME.fullmatch(given) and not _HEXES.fullmatch(given) else ""


def _sentry_answer(outcome: Outcome, body: bytes) -> web.Response:
    """Sentry's SDKs look at the status alone; people see what was refused."""
    plain: dict[str, Any] = {"id": _hex(outcome.ids[0]) if outcome.ids else _said(body)}
    if outcome.refused:
        plain["refused"] = [one._asdict() for one in outcome.refused[:MOST_TOLD]]
    if outcome.ignored:
        plain["ignored"] = outcome.ignored
    status = 400 if outcome.refused and not outcome.ids else 200
    return web.json_response(plain, status=status)


def _said(body: bytes) -> str:
    found = re.search(rb'"event_id":\s*"([0-9a-f-]{32,36})"', body[:4_096])
    return _hex(found[1].decode()) if found else ""


def _hex(text: str) -> str:
    try:
        return uuid.UUID(text).hex
    except ValueError:
        return text


async def _preflight(_: web.Request) -> web.Response:
    return web.Response(status=204)
