"""Clients: what is in force in the instances of a service, asked of them now.

The question is a signed command that changes nothing, so it needs an operator, and a signing key in
the gateway; what commands hold is told without either by the live page.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiokafka.errors import KafkaError

from faultstream.gateway.access import Access
from faultstream.gateway.answer import answer
from faultstream.gateway.errors import AwayError, ProblemError

Ask = Callable[[str, str, str], Awaitable[list[dict[str, Any]]]]
"""Service, environment ('' is the topology's) and who asks, to an object for each instance."""


class Clients:
    """See the module. Without `ask` there is no key, and it says so."""

    def __init__(self, access: Access, ask: Ask | None) -> None:
        self._access = access
        self._ask = ask

    def add_to(self, app: web.Application) -> None:
        """The route."""
        app.router.add_get("/v1/services/{service}/state", self._state)

    async def _state(self, request: web.Request) -> web.Response:
        caller = self._access.admit(request, "steer")
        if self._ask is None:
            mend = "set FAULTSTREAM_SIGNING_KEY for the gateway"
            raise ProblemError(501, "the gateway has no signing key", mend=mend)
        service = request.match_info["service"][:512]
        try:
            found = await self._ask(
                service, request.query.get("environment", "")[:512], caller.name
            )
        except KafkaError as exc:
            raise AwayError(f"Kafka: {str(exc)[:200]}") from exc
        return answer({"service": service, "instances": found})
