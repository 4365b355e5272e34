"""Mail arrives at a real SMTP server, whatever else Apprise can do."""

import email
from collections.abc import Iterator
from email.message import Message

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from faultstream.core.records import Notification
from faultstream.notify import UndeliveredError
from faultstream.notify.apprise_channel import AppriseChannel
from faultstream.ops import child

# Apprise asks for a module that Python 3.13 has no longer.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class Mailbox:
    """Answers `answers` one after the other, then takes the mail; keeps what it took."""

    def __init__(self) -> None:
        self.answers: list[str] = []
        self.got: list[tuple[list[str], Message]] = []
        self.url = ""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        self.got.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    port = child.free_port()
    controller = Controller(made, hostname="127.0.0.1", port=port)
    controller.start()
    made.url = (
        f"mailto://127.0.0.1:{port}?from=faultstream@example.org&to=ann@example.org&mode=insecure"
    )
    yield made
    controller.stop()


async def test_mail_arrives(mailbox: Mailbox, notification: Notification) -> None:
    """With level and title as the subject, and the body as it is."""
    notification.body = "1. circuit_break: recurring\n<b>2. retry: failed"
    channel = AppriseChannel(mailbox.url)
    assert await channel.send(notification) == 1
    await channel.close()
    ((to, mail),) = mailbox.got
    assert to == ["ann@example.org"]
    assert mail["Subject"] == "[error] orders: recovery failed"
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode().split() == notification.body.split()


async def test_repeats_what_was_not_taken(mailbox: Mailbox, notification: Notification) -> None:
    """After two refusals the third attempt delivers, one mail."""
    mailbox.answers = ["451 later", "451 later"]
    channel = AppriseChannel(mailbox.url, first_wait_s=0.001)
    assert await channel.send(notification) == 3
    assert len(mailbox.got) == 1


async def test_gives_up(notification: Notification) -> None:
    """When nobody is there, after its attempts, without telling the address."""
    url = (
        f"mailto://user:secret@127.0.0.1:{child.free_port()}?mode=insecure&to=a@b.org&from=a@b.org"
    )
    channel = AppriseChannel(url, attempts=2, first_wait_s=0.001)
    with pytest.raises(UndeliveredError) as gave_up:
        await channel.send(notification)
    assert str(gave_up.value) == "the service did not take it"
    assert gave_up.value.attempts == 2


async def test_refuses_an_unknown_address_at_once(notification: Notification) -> None:
    """A scheme that Apprise does not know is not tried again."""
    with pytest.raises(UndeliveredError) as gave_up:
        await AppriseChannel("fax://somebody").send(notification)
    assert str(gave_up.value) == "Apprise does not know such an address"
    assert gave_up.value.attempts == 1
