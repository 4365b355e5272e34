"""The webhook is signed, says one id for one command and target, and maps answers to outcomes."""

import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from faultstream import wire
from faultstream.client import Outcome
from faultstream.core.records import RecoveryCommand, Target
from faultstream.core.standard_webhook import secret
from faultstream.executors.policy import WebhookPolicy
from faultstream.executors.webhook import Webhook
from faultstream.ops import child
from tests import serving
from tests.client.topics import command

KEY = b"a secret of thirty-two bytes, ok"


class Receiver:
    """Answers `answers` one after the other, then 204; None drops the connection."""

    def __init__(self) -> None:
        self.answers: list[web.Response | None] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, await request.read()))
        answer = self.answers.pop(0) if self.answers else web.Response(status=204)
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    async with serving.hook(made.handle) as made.url:
        yield made


async def ask(url: str, order: RecoveryCommand, *, expired: bool = False, **more: Any) -> Outcome:
    """One command through a webhook of its own."""
    policy = WebhookPolicy(url=url, secret_env="S", **more)
    now_ms = order.expires_at_ms if expired else order.issued_at_ms
    webhook = Webhook(policy, KEY, first_wait_s=0.001, clock_ms=lambda: now_ms)
    try:
        return await webhook(order)
    finally:
        await webhook.close()


async def test_the_request_is_the_command_signed(receiver: Receiver) -> None:
    """The body is the command as on its topic; the signature is that of Standard Webhooks."""
    order = command(parameters={"probes": 2})
    assert await ask(receiver.url, order) == Outcome("success", "HTTP 204")
    ((headers, body),) = receiver.got
    assert wire.decode(RecoveryCommand, body) == order
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    assert timestamp == str(order.issued_at_ms // 1000)
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    assert headers["idempotency-key"] == message_id
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", headers["traceparent"])


async def test_an_undo_goes_to_an_address_of_its_own(receiver: Receiver) -> None:
    """The commands that take back, and no others; each with an id of its own."""
    undo = command("resource_scale", rollback_of="c-1")
    policy = WebhookPolicy(url="http://127.0.0.1:1/", undo_url=receiver.url, secret_env="S")
    webhook = Webhook(policy, KEY, first_wait_s=0.001, clock_ms=lambda: undo.issued_at_ms)
    assert webhook.undoes
    assert (await webhook(undo)).status == "success"
    assert (await webhook(command("resource_scale"))).status == "failed"
    await webhook.close()
    ((_, body),) = receiver.got
    assert wire.decode(RecoveryCommand, body).rollback_of == "c-1"


async def test_one_id_for_a_command_and_target(receiver: Receiver) -> None:
    """The same in every attempt and from every executor; another for another target or command."""
    order = command()
    elsewhere = command(
        command_id=order.command_id, target=Target(environment="staging", service="orders")
    )
    receiver.answers = [web.Response(status=503), None]
    assert (await ask(receiver.url, order)).message == "HTTP 204 (attempt 3)"
    for another in (order, elsewhere, command()):
        await ask(receiver.url, another)
    ids = [headers["idempotency-key"] for headers, _ in receiver.got]
    assert len(set(ids[:4])) == 1
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (web.Response(status=200, text="fine"), Outcome("success", "HTTP 200")),
        (
            web.Response(status=202),
            Outcome("partial", "accepted (HTTP 202), not known to be done"),
        ),
        (
            web.json_response({"status": "partial", "message": "2 of 3", "details": {"n": 2}}),
            Outcome("partial", "2 of 3", {"n": 2}),
        ),
        (
            web.json_response({"status": "failed", "message": "token=abcdefgh12345678 denied"}),
            Outcome("failed", "token=[scrubbed] denied"),
        ),
        (
            web.json_response({"status": "success", "details": {"password": "x", "n": ["a"]}}),
            Outcome("success", "HTTP 200", {"password": "[scrubbed]", "n": ["a"]}),
        ),
        (
            web.json_response({"status": "ok"}),
            Outcome("partial", "answered with a status that is none: 'ok'"),
        ),
        (web.json_response(["status"]), Outcome("success", "HTTP 200")),
        (web.Response(status=302), Outcome("not_attempted", "refused with HTTP 302")),
        (web.Response(status=404), Outcome("not_attempted", "refused with HTTP 404")),
        (web.Response(status=501), Outcome("not_attempted", "refused with HTTP 501")),
        (web.Response(status=409), Outcome("failed", "refused with HTTP 409")),
        (web.Response(status=423), Outcome("partial", "HTTP 423")),
    ],
)
async def test_what_an_answer_means(
    receiver: Receiver, answer: web.Response, outcome: Outcome
) -> None:
    """Once, without another attempt; `statuses` of the policy goes first."""
    receiver.answers = [answer]
    assert await ask(receiver.url, command(), statuses={"423": "partial"}) == outcome
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again_and_then_failed(
    receiver: Receiver, status: int
) -> None:
    """As often as `attempts`, and no more."""
    receiver.answers = [web.Response(status=status) for _ in range(9)]
    assert await ask(receiver.url, command()) == Outcome("failed", f"HTTP {status} (attempt 3)")
    assert len(receiver.got) == 3


async def test_nothing_is_sent_again_after_expiry(receiver: Receiver) -> None:
    """A command is never carried out late."""
    receiver.answers = [web.Response(status=503)]
    assert await ask(receiver.url, command(), expired=True) == Outcome("failed", "HTTP 503")
    assert len(receiver.got) == 1


async def test_nobody_there_and_no_answer() -> None:
    """Both are failed, and the address is not told."""
    nobody = f"http://127.0.0.1:{child.free_port()}/secret"
    found = await ask(nobody, command(), attempts=2)
    assert found == Outcome("failed", "ClientConnectorError (attempt 2)")


@pytest.mark.parametrize(
    ("value", "found"),
    [("whsec_" + base64.b64encode(KEY).decode(), KEY), (KEY.decode(), KEY)],
)
def test_a_secret_is_base64_behind_whsec_or_plain(value: str, found: bytes) -> None:
    """As Standard Webhooks writes them, or any text that is long enough."""
    assert secret("S", {"S": value}) == found


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "S is not set"),
        ("short", "S has 5 bytes, at least 16 are needed"),
        ("whsec_#", "S holds no base64 behind whsec_"),
    ],
)
def test_no_secret(value: str, why: str) -> None:
    """Is refused without repeating it."""
    with pytest.raises(ValueError, match=why):
        secret("S", {"S": value})
