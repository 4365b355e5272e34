"""Middleware for web applications: report, say which request it was, answer with a body."""

from faultstream.client.web.answer import Answer, answer
from faultstream.client.web.asgi import AsgiMiddleware
from faultstream.client.web.django import DjangoMiddleware, use
from faultstream.client.web.page import StatePage
from faultstream.client.web.wsgi import WsgiMiddleware

__all__ = [
    "Answer",
    "AsgiMiddleware",
    "DjangoMiddleware",
    "StatePage",
    "WsgiMiddleware",
    "answer",
    "use",
]
