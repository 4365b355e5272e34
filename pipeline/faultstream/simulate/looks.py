"""Looks: what an error looks like in the report of the service that it happened in."""

from collections.abc import Callable
from typing import Final

from faultstream.core.event import ErrorEvent, Frame
from faultstream.core.ids import derive
from faultstream.simulate.catalogue import ERRORS
from faultstream.simulate.chance import stream
from faultstream.simulate.fleet import Place
from faultstream.simulate.planting import Happening
from faultstream.simulate.scenario import ErrorSpec, Scenario

RARE: Final = "rare:"
"""Errors of such a name have a type of their own each."""


class Looks:
    """Turns happenings into events as their services would report them."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        fleet: dict[str, Place],
        *,
        release: Callable[[str, int], str],
    ) -> None:
        self._environment = scenario.environment
        self._seed = seed
        self._fleet = fleet
        self._release = release
        self._errors: dict[str, ErrorSpec] = {**ERRORS, **scenario.errors}
        self._chance = stream(seed, "looks")
        self._frames: dict[tuple[str, str], list[Frame]] = {}
        skew = stream(seed, "skew")
        bound = scenario.skew_ms
        self._skews = {
            place.name: [skew.randint(-bound, bound) for _ in range(place.spec.instances)]
            for place in fleet.values()
        }

    def event(self, one: Happening) -> ErrorEvent:
        chance = self._chance
        place = self._fleet[one.service]
        spec = self._spec(one.error)
        skews = self._skews[one.service]
        instance = one.instance if one.instance >= 0 else int(chance.random() * len(skews))
        instance %= len(skews)
        text = spec.messages[0] if len(spec.messages) == 1 else chance.choice(spec.messages)
        if "{" in text:
            number = chance.randrange(1, 30_000)
            text = text.format(
                n=number % 97 + 1,
                id=f"{number:05x}",
                ms=number,
                host=f"10.0.{number % 7}.{number % 251}",
                other=place.depends_on[number % len(place.depends_on)]
                if place.depends_on
                else "partner",
            )
        event = ErrorEvent(
            service=one.service,
            error_type=spec.type,
            event_id=self._id(one.key),
            time=one.time_ms + skews[instance],
            environment=self._environment,
            layer=place.spec.layer,
            instance=f"{one.service}-{instance}",
            release=self._release(one.service, one.time_ms),
            operation=spec.function,
            message=text,
            frames=self._stack(one, spec),
        )
        if spec.severity:
            event.severity = spec.severity
        if spec.status:
            event.http_status = spec.status
        if one.trace:
            event.trace_id = derive("trace", self._seed, one.trace).replace("-", "")
        if one.parent:
            event.parent_event_id = self._id(one.parent)
        return event

    def _spec(self, error: str) -> ErrorSpec:
        if error.startswith(RARE):
            name = error.removeprefix(RARE)
            return ErrorSpec(type=f"myapp.errors.{name}", messages=("{id} went wrong",))
        return self._errors[error]

    def _id(self, key: int) -> str:
        return derive("simulated", self._seed, key)

    def _stack(self, one: Happening, spec: ErrorSpec) -> list[Frame]:
        key = (one.service, one.error)
        found = self._frames.get(key)
        if found is None:
            module = one.service.replace("-", "_")
            line = 20 + sum(one.error.encode()) % 300
            found = self._frames[key] = [
                Frame(f"{module}.app", "serve", f"{module}/app.py", 40, in_app=True),
                Frame(f"{module}.flow", spec.function, f"{module}/flow.py", line, in_app=True),
            ]
        return found
