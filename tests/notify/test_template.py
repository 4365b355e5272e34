"""Templates write a channel's messages, cannot do anything else, and never lose one."""

import msgspec
import pytest

from faultstream.core.policy import TemplatePolicy, Topology
from faultstream.core.records import Notification
from faultstream.notify import Notifier
from faultstream.notify.notifier import templates
from faultstream.notify.template import MAX_TITLE_CHARS, BadTemplateError, MessageTemplate
from tests.core.making import topology as shipped


def written(message: Notification, *, title: str = "", body: str = "") -> Notification:
    """A message by such a template."""
    return MessageTemplate(TemplatePolicy(title=title, body=body)).apply(message)


def test_fields_conditions_and_loops(notification: Notification) -> None:
    """Everything of the record can be used; what is not given stays as it is."""
    notification.labels = {"service": "orders", "layer": "api"}
    found = written(
        notification,
        title="{{ level|upper }} {{ labels.service }}\n{% if status == 'resolved' %}!{% endif %}",
        body="{% for name, value in labels.items() %}{{ name }}={{ value }};{% endfor %}"
        " {{ created_at }}",
    )
    assert found.title == "ERROR orders"
    assert found.body == "service=orders;layer=api; 2023-11-14T22:13:20.000Z"
    assert written(notification, title="x").body == notification.body
    assert found.notification_id == notification.notification_id


def test_what_is_put_in_is_only_text(notification: Notification) -> None:
    """A title that looks like a template is not one, and a long one is cut."""
    notification.title = "{{ level }} {% raw %}" + "x" * 1_000
    found = written(notification, title="{{ title }}")
    assert found.title == notification.title[:MAX_TITLE_CHARS]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ titel }}", "title: 'titel' is undefined"),
        ("{% if x %}", "title, line 1: Unexpected end of template"),
        ("{{ ''.__class__ }}", "access to attribute '__class__' of 'str' object is unsafe"),
        (
            "{{ pattern_ids.append('x') }}",
            "access to attribute 'append' of 'list' object is unsafe",
        ),
        ("{% include '/etc/passwd' %}", "no loader for this environment"),
        ("{% for n in range(10 ** 9) %}{% endfor %}", "Range too big"),
    ],
)
def test_what_a_template_may_not(text: str, why: str) -> None:
    """Wrong names, wrong syntax and ways out of the sandbox are refused before the first use."""
    with pytest.raises(BadTemplateError, match=f".*{why.replace('(', '.')}.*"):
        MessageTemplate(TemplatePolicy(title=text))


def test_a_template_that_fails_later_is_left_out(notification: Notification) -> None:
    """The message goes out in plain text then."""
    notification.labels = {}
    assert written(notification, title="{{ labels.service }}: {{ title }}") == notification


class Kept:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.got: list[Notification] = []

    async def send(self, notification: Notification) -> int:
        self.got.append(notification)
        return 1

    async def close(self) -> None:
        """Nothing to let go of."""


async def test_each_channel_has_its_own(notification: Notification) -> None:
    """Only the channel that names a template gets its text."""
    plain: Topology = shipped()
    (channel,) = plain.channels.values()
    changed = msgspec.structs.replace(
        plain,
        channels={"sms": msgspec.structs.replace(channel, template="short"), "log": channel},
        notification=msgspec.structs.replace(
            plain.notification, templates={"short": TemplatePolicy(title="! {{ title }}")}
        ),
    )
    sms, log = Kept(), Kept()
    notifier = Notifier({"sms": sms, "log": log}, templates(changed))
    for name in ("sms", "log"):
        assert await notifier.deliver(name, notification) == ""
    assert (sms.got[0].title, log.got[0].title) == (
        "! orders: recovery failed",
        "orders: recovery failed",
    )
    assert templates(plain) == {}
