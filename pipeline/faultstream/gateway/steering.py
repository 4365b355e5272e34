"""Steering: what operators may wish over HTTP, as the CLI does: published on the control topic,
answered with the incident's next revision. Each needs an operator's token, whose name is recorded.
"""

from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError
from msgspec import Meta

from faultstream import wire
from faultstream.core.controls import Acknowledge, Approve, Cancel, Resolve, Trigger, ask, paused
from faultstream.core.errors import DataError
from faultstream.core.machine import OVER
from faultstream.core.policy import Topology
from faultstream.core.records import Incident
from faultstream.core.strategy import check
from faultstream.gateway.access import Access, Caller
from faultstream.gateway.allowance import Allowance
from faultstream.gateway.errors import AwayError, ProblemError
from faultstream.gateway.pauses import Pauses
from faultstream.ops import log
from faultstream.ops.clock import now_ms
from faultstream.transport import wishes
from faultstream.transport.wishes import Asked

MAX_BODY: Final = 65_536
WISHES_PER_S: Final = 1.0
WISHES_AT_ONCE: Final = 30.0

_log = log.get(__name__)

Text = Annotated[str, Meta(max_length=500)]


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What may stand in every body. `wait_ms`: how long the answer is waited for."""

    reason: Text = ""
    wait_ms: Annotated[int, Meta(ge=0, le=30_000)] = 10_000


class _Approve(_Said, frozen=True, kw_only=True):
    strategy: Text = ""


class _Cancel(_Said, frozen=True, kw_only=True):
    rollback: bool = False


class _Resolve(_Said, frozen=True, kw_only=True):
    false_alarm: bool = False


class _Recover(_Said, frozen=True, kw_only=True):
    strategy: Text = ""
    parameters: dict[str, Any] = {}
    dry_run: bool = False


class _RecoverErrors(_Recover, frozen=True, kw_only=True):
    """Errors instead of an incident. What is known of them is looked for among the patterns on the
    topic; for others `error_type` or `category` choose the route."""

    service: Text = ""
    fingerprint: Text = ""
    environment: Text = ""
    layer: Text = ""
    error_type: Text = ""
    category: Text = ""


class _Pause(_Said, frozen=True, kw_only=True):
    """`for_ms` 0 is until it is resumed."""

    environment: Text = ""
    service: Text = ""
    for_ms: Annotated[int, Meta(ge=0, le=366 * 86_400_000)] = 0
    resume: bool = False


_BODIES: Final[dict[str, type[_Said]]] = {
    "recover": _Recover,
    "approve": _Approve,
    "cancel": _Cancel,
    "resolve": _Resolve,
    "ack": _Said,
}


class Steering:
    """See the module."""

    def __init__(
        self, access: Access, topology: Topology, brokers: str, pauses: Pauses | None = None
    ) -> None:
        self._pauses = pauses
        self._access = access
        self._topology = topology
        self._brokers = brokers
        self._allowance = Allowance(WISHES_PER_S, WISHES_AT_ONCE)

    def add_to(self, app: web.Application) -> None:
        """The routes."""
        kinds = "|".join(_BODIES)
        app.router.add_post(f"/v1/incidents/{{incident_id}}/{{wish:{kinds}}}", self._wish)
        app.router.add_post("/v1/recover", self._recover)
        app.router.add_post("/v1/pause", self._pause)

    async def _wish(self, request: web.Request) -> web.Response:
        caller = self._admitted(request)
        kind = request.match_info["wish"]
        said = await _body(request, _BODIES[kind])
        one = self._asked(caller, said)
        try:
            before = await self._meant(one, request.match_info["incident_id"].lower()[:100])
            answer = await self._carried(one, before, kind, said)
        except KafkaError as exc:
            raise AwayError(f"Kafka: {str(exc)[:200]}") from exc
        except DataError as exc:
            raise ProblemError(400, "it says too little", exc.reason) from exc
        _log.info("gateway_wish", wish=kind, incident=before.incident_id, by=one.by)
        return _told(one, before, answer)

    async def _carried(
        self, one: Asked, before: Incident, kind: str, said: _Said
    ) -> Incident | None:
        if isinstance(said, _Recover):
            wish = Trigger(
                strategy=said.strategy,
                strategy_parameters=self._parameters(said),
                dry_run=said.dry_run,
            )
            return (await wishes.recovered(one, before, wish, now_ms()))[1]
        if before.state in OVER:
            raise ProblemError(409, "it is over", before.reason, incident=wire.to_dict(before))
        if kind == "approve" and before.state != "escalated":
            detail = f"it is {before.state}: {before.reason}"
            raise ProblemError(409, "nothing waits for approval", detail)
        name = before.incident_id
        made = {
            "approve": Approve(incident_id=name, strategy=getattr(said, "strategy", "")),
            "cancel": Cancel(incident_id=name, rollback=getattr(said, "rollback", False)),
            "resolve": Resolve(incident_id=name, false_alarm=getattr(said, "false_alarm", False)),
            "ack": Acknowledge(incident_id=name),
        }[kind]
        control = ask(
            made, environment=before.environment, by=one.by, reason=one.reason, now_ms=now_ms()
        )
        return await wishes.carried(one, control, wishes.changed(before, one.by))

    async def _recover(self, request: web.Request) -> web.Response:
        caller = self._admitted(request)
        said = await _body(request, _RecoverErrors)
        if not (said.service or said.fingerprint):
            raise ProblemError(400, "it says too little", mend="name a service or a fingerprint")
        one = self._asked(caller, said)
        place = said.environment or self._topology.environment
        wish = Trigger(
            strategy=said.strategy,
            strategy_parameters=self._parameters(said),
            dry_run=said.dry_run,
            service=said.service,
            fingerprint=said.fingerprint,
            layer=said.layer,
            error_type=said.error_type,
            category=said.category,
        )
        try:
            wish = await self._known(one, wish, place)
            control = ask(wish, environment=place, by=one.by, reason=one.reason, now_ms=now_ms())
            answer = await wishes.errors_recovered(one, control, wish.service)
        except KafkaError as exc:
            raise AwayError(f"Kafka: {str(exc)[:200]}") from exc
        except DataError as exc:
            raise ProblemError(400, "it says too little", exc.reason) from exc
        _log.info("gateway_wish", wish="recover", service=wish.service, by=one.by)
        return _told(one, None, answer)

    async def _known(self, one: Asked, wish: Trigger, environment: str) -> Trigger:
        """The wish, with what the latest pattern of these errors says; as it is when there is none
        and it says enough."""
        found = await wishes.patterns(
            one, service=wish.service, fingerprint=wish.fingerprint, environment=environment
        )
        services = sorted({pattern.service for pattern in found})
        if len(services) > 1:
            raise ProblemError(409, "several services have it", ", ".join(services[:20]))
        if found:
            return wishes.about(wish, found[-1])
        if not (wish.service and (wish.error_type or wish.category)):
            detail = f"none on the topic in {environment}"
            mend = "name the service, and the error_type or category"
            raise ProblemError(404, "no pattern of these errors", detail, mend=mend)
        return wish

    async def _pause(self, request: web.Request) -> web.Response:
        caller = self._admitted(request)
        said = await _body(request, _Pause)
        if said.resume and said.for_ms:
            raise ProblemError(400, "resume takes the pause back now", mend="leave out for_ms")
        now = now_ms()
        control = paused(
            said.environment,
            service=said.service,
            active=not said.resume,
            reason=said.reason,
            by=caller.name,
            now_ms=now,
            until_ms=now + said.for_ms if said.for_ms else None,
        )
        try:
            await wishes.publish(self._brokers, self._topology, control)
        except KafkaError as exc:
            raise AwayError(f"Kafka: {str(exc)[:200]}") from exc
        if self._pauses is not None:
            self._pauses.heard()
        _log.info("gateway_wish", wish="pause", subject=control.subject, by=caller.name)
        return web.Response(body=wire.encode(control), status=202, content_type="application/json")

    def _admitted(self, request: web.Request) -> Caller:
        caller = self._access.admit(request, "steer")
        if wait_s := self._allowance.take(caller.name, 1):
            raise ProblemError(429, "too many wishes", retry_after_s=wait_s)
        return caller

    def _asked(self, caller: Caller, said: _Said) -> Asked:
        return Asked(
            by=caller.name,
            reason=said.reason,
            wait_ms=said.wait_ms,
            brokers=self._brokers,
            topology=self._topology,
        )

    async def _meant(self, one: Asked, prefix: str) -> Incident:
        found = await wishes.meant(one, prefix)
        if not found:
            raise ProblemError(404, "no such incident", prefix)
        if len(found) > 1:
            names = [each.incident_id for each in found[:6]]
            raise ProblemError(409, "several incidents begin with it", ", ".join(names))
        return found[0]

    def _parameters(self, said: _Recover) -> dict[str, Any]:
        policy = self._topology.strategies.get(said.strategy)
        if said.strategy and policy is None:
            mend = ", ".join(sorted(self._topology.strategies))
            raise ProblemError(400, "there is no such strategy", said.strategy, mend=mend)
        if policy is None:
            if said.parameters:
                raise ProblemError(400, "parameters without a strategy", mend="name the strategy")
            return {}
        if wrong := check(said.strategy, {**policy.parameters, **said.parameters}):
            raise ProblemError(400, f"{said.strategy} cannot be commanded so", wrong[0])
        return said.parameters


async def _body(request: web.Request, kind: type[Any]) -> Any:
    raw = await request.content.read(MAX_BODY + 1)
    while not request.content.at_eof() and len(raw) <= MAX_BODY:
        raw += await request.content.read(MAX_BODY + 1 - len(raw))
    if len(raw) > MAX_BODY:
        raise ProblemError(413, "too large", f"at most {MAX_BODY} bytes")
    try:
        return msgspec.json.decode(raw.strip() or b"{}", type=kind)
    except (msgspec.DecodeError, RecursionError) as exc:
        raise ProblemError(400, "the body cannot be used", str(exc)[:300]) from exc


def _told(one: Asked, before: Incident | None, answer: Incident | None) -> web.Response:
    """200 with what came of it, 202 when the answer is not known yet."""
    if answer is None:
        waited = f"no answer within {one.wait_ms / 1000:g} s" if one.wait_ms else "not waited for"
        told: dict[str, Any] = {"answered": False, "detail": f"published; {waited}"}
        if before is not None:
            told["before"] = wire.to_dict(before)
        return _json(told, 202)
    known = {each.command_id for each in before.attempts} if before is not None else set()
    fresh = [each for each in answer.attempts if each.command_id not in known]
    told = {
        "answered": True,
        "detail": answer.reason,
        "incident": wire.to_dict(answer),
        "commanded": [msgspec.to_builtins(each) for each in fresh],
    }
    return _json(told, 200)


def _json(told: dict[str, Any], status: int) -> web.Response:
    return web.Response(body=wire.dumps(told), status=status, content_type="application/json")
