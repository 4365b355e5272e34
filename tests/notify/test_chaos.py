"""A mail server and a web server that fail three times in ten: everybody is told, and nothing comes
twice but what was taken without the sender hearing of it."""

import asyncio
import email
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from faultstream import wire
from faultstream.core.notify.decision import NotificationDecision
from faultstream.core.records import Notification
from faultstream.notify import Notifier
from faultstream.notify.apprise_channel import AppriseChannel
from faultstream.notify.channel import Channel, UndeliveredError
from faultstream.notify.webhook import WebhookChannel
from faultstream.ops import child
from faultstream.stream.notify import NotifyStage
from faultstream.stream.stage import Output, Source
from tests import serving
from tests.core.notifying import SECOND, T0, note, rules
from tests.stream.records import Raw

MANY = 120
RATIO = 0.3
NOTES = Source("notifications", "faultstream.notifications.v1", 0)

# Apprise asks for a module that Python 3.13 has no longer.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class Trouble:
    """Fails `RATIO` of the times, in ways that take turns by chance; keeps what was taken."""

    def __init__(self, seed: int, ways: tuple[str, ...]) -> None:
        self._dice = random.Random(seed)
        self._ways = ways
        self.taken: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.tries = 0

    def next(self) -> str:
        """'' or the way in which this try fails."""
        self.tries += 1
        way = self._dice.choice(self._ways) if self._dice.random() < RATIO else ""
        if way:
            self.failed[way] += 1
        return way


class Listening:
    """A channel with a note of what the sender heard: a slow machine may miss an answer that the
    server gave, and then it is right to send again."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.heard: Counter[str] = Counter()
        self.tries = 0

    async def send(self, notification: Notification) -> int:
        try:
            tries = await self._channel.send(notification)
        except UndeliveredError as exc:
            self.tries += exc.attempts
            raise
        self.tries += tries
        self.heard[notification.title] += 1
        return tries

    async def close(self) -> None:
        await self._channel.close()


class Mail(Trouble):
    """Refuses for now, refuses for good, drops the connection before or after taking the mail, or
    says nothing until the other side gives up."""

    url = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        way = self.next()
        assert isinstance(envelope.content, bytes)
        subject = str(email.message_from_bytes(envelope.content)["Subject"])
        title = subject.removeprefix("[error] ")
        if way in {"later", "never"}:
            return "451 later" if way == "later" else "554 never"
        if way in {"", "taken unsaid"}:
            self.taken[title] += 1
        if not way:
            return "250 taken"
        assert isinstance(server.transport, asyncio.Transport)
        if way == "silence":
            while not server.transport.is_closing():  # noqa: ASYNC110 - nothing else tells of it
                await asyncio.sleep(0.01)
        server.transport.abort()
        return "250 nobody reads this"


class Web(Trouble):
    """Answers 500 or 503, drops the connection before or after taking the message, or says
    nothing until the other side gives up."""

    url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        message = wire.decode(Notification, await request.read())
        way = self.next()
        if way in {"500", "503"}:
            return web.Response(status=int(way))
        if way in {"", "taken unsaid"}:
            self.taken[message.title] += 1
        if not way:
            return web.Response(status=204)
        assert request.transport is not None
        if way == "silence":
            while request.transport is not None:  # noqa: ASYNC110 - nothing else tells of it
                await asyncio.sleep(0.01)
        else:
            request.transport.abort()
        return web.Response()


@pytest.fixture
def mail() -> Iterator[Mail]:
    made = Mail(1, ("later", "never", "dropped", "taken unsaid", "silence"))
    port = child.free_port()
    controller = Controller(made, hostname="127.0.0.1", port=port)
    controller.start()
    who = "from=faultstream@example.org&to=ann@example.org"
    made.url = f"mailto://127.0.0.1:{port}?{who}&mode=insecure&cto=1&rto=1"
    yield made
    controller.stop()


@pytest.fixture
async def hook() -> AsyncIterator[Web]:
    made = Web(2, ("500", "503", "dropped", "taken unsaid", "silence"))
    async with serving.hook(made.handle) as made.url:
        yield made


async def test_everybody_is_told_in_spite_of_30_percent_failures(
    mail: Mail, hook: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """120 alerts, half to mail and half to the web with the other behind it, two tries each: all
    arrive, the sender hears of each once, and nothing comes twice beyond the messages whose taking
    it did not hear of. Every alert ends in exactly one decision that it was sent."""
    monkeypatch.setattr("faultstream.notify.webhook.TIMEOUT_S", 1.0)
    routes = [{"matchers": ["service=web"], "receiver": "web"}]
    times = {"group_wait_ms": 0, "group_interval_ms": SECOND, "repeat_interval_ms": 3600 * SECOND}
    topology = rules(
        "mail",
        "hook",
        route={"group_by": ["..."], "receiver": "mail", "routes": routes, **times},
        receivers={
            "mail": {"channels": ["mail"], "fallback": ["hook"]},
            "web": {"channels": ["hook"], "fallback": ["mail"]},
        },
        rate_limits={},
    )
    by_mail = Listening(AppriseChannel(mail.url, attempts=2, first_wait_s=0.001))
    by_hook = Listening(WebhookChannel(hook.url, attempts=2, first_wait_s=0.001))
    notifier = Notifier({"mail": by_mail, "hook": by_hook})
    now_ms = T0
    stage = NotifyStage(topology, notifier.deliver, now=lambda: now_ms)
    stage.restore(0, {}, {NOTES.topic: MANY})
    given = [note(n, service="web" if n % 2 else "mail") for n in range(MANY)]
    decided: list[NotificationDecision] = []

    def hear(outputs: list[Output]) -> None:
        decided.extend(wire.decode(NotificationDecision, one.value) for one in outputs)

    records = [Raw(n, wire.encode(one)) for n, one in enumerate(given)]
    hear(stage.take(NOTES, records, now_ms).outputs)
    rounds = 0
    while rounds < 20:
        rounds += 1
        now_ms += SECOND
        hear(stage.tick(now_ms).outputs)
        assert await stage.settle(_ours)
        while stage.eager():
            assert await stage.settle(_ours)
        stage.snapshot()
        stage.saved()
        hear(list(stage.settled()))
    await notifier.close()

    titles = Counter(one.title for one in given)
    assert by_mail.heard + by_hook.heard == titles  # 100 %, none sent again once it was heard
    for server, sender in ((mail, by_mail), (hook, by_hook)):
        assert sender.heard <= server.taken  # nothing was heard that did not arrive
        unheard = sender.tries - sender.heard.total()
        assert server.taken.total() - sender.heard.total() <= unheard
        assert unheard >= sum(server.failed.values())
        assert len(server.failed) == 5  # every way of failing was met
    sent = Counter(one for each in decided if each.kind == "sent" for one in each.notification_ids)
    assert sent == Counter(one.notification_id for one in given)
    assert not [each for each in decided if each.kind == "undelivered"]
    assert sum(each.kind == "failed" for each in decided) > 0


async def _ours() -> bool:
    return True
