"""The example of a container orchestrator, against a server that behaves like its API."""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web

from faultstream.client import Outcome
from tests import serving
from tests.client import topics
from tests.client.topics import KEYS, command, signed

FILE = Path(__file__).parents[2] / "docs" / "examples" / "orchestrator.py"
PATH = "/apis/apps/v1/namespaces/shop/deployments/orders"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("orchestrator", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["orchestrator"] = module
    spec.loader.exec_module(module)
    return module


class Api:
    """One deployment. A change of `spec` is a new generation, whose replicas become available one
    with each look; a patch of an old resourceVersion is a conflict."""

    def __init__(self) -> None:
        self.url = ""
        self.replicas = 2
        self.template: dict[str, Any] = {}
        self.annotations: dict[str, str] = {}
        self.generation = self.version = 1
        self.new = 2
        """Replicas of the latest generation that are available."""
        self.busy = 0
        """So many requests are answered with 503 first."""
        self.rivals = 0
        """So many patches are overtaken by somebody else."""
        self.stuck = False
        self.patches: list[dict[str, Any]] = []

    async def handle(self, request: web.Request) -> web.Response:
        if request.headers.get("authorization") != "Bearer letmein":
            return web.Response(status=401)
        if self.busy:
            self.busy -= 1
            return web.Response(status=503)
        if request.method == "PATCH":
            assert request.content_type == "application/merge-patch+json"
            refused = self._patch(await request.json())
            if refused:
                return refused
        else:
            self.new = min(self.new + 1, self.replicas)
        return web.json_response(self._shown())

    def _patch(self, change: dict[str, Any]) -> web.Response | None:
        metadata = change.get("metadata", {})
        if self.rivals:
            self.rivals -= 1
            self.version += 1
        if metadata.get("resourceVersion") not in {None, str(self.version)}:
            return web.Response(status=409)
        self.patches.append(change)
        spec = change.get("spec", {})
        template = spec.get("template", {}).get("metadata", {}).get("annotations", self.template)
        replicas = spec.get("replicas", self.replicas)
        self.version += 1
        self.annotations |= metadata.get("annotations", {})
        if template != self.template:
            self.new = 0
        if (template, replicas) != (self.template, self.replicas):
            self.generation += 1
        self.template, self.replicas = template, replicas
        return None

    def _shown(self) -> dict[str, Any]:
        condition = {"type": "Progressing", "status": "False" if self.stuck else "True"}
        return {
            "metadata": {
                "generation": self.generation,
                "resourceVersion": str(self.version),
                "annotations": self.annotations,
            },
            "spec": {"replicas": self.replicas},
            "status": {
                "observedGeneration": self.generation,
                "replicas": self.replicas,
                "updatedReplicas": self.new,
                "availableReplicas": self.new,
                "conditions": [condition],
            },
        }


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    app = web.Application()
    app.router.add_route("*", PATH, made.handle)
    async with serving.serving(app) as made.url:
        yield made


def deployment(example: ModuleType, api: Api, folder: Path, name: str = "orders") -> Any:
    """The example's deployment with a token."""
    token = folder / "token"
    token.write_text("letmein\n")
    return example.Deployment(api.url, "shop", name, token_file=token, pause_s=0.001)


async def test_restart_replaces_all_instances(
    example: ModuleType, api: Api, tmp_path: Path
) -> None:
    """Waits until all are new and available, in spite of some 503; again changes nothing."""
    api.busy = 2
    order = command("service_restart", parameters={"graceful_ms": 1_000})
    target = deployment(example, api, tmp_path)
    done = Outcome("success", "2 replicas", {"replicas": 2})
    assert await target.restart(order) == done
    assert api.template["faultstream.io/command"] == order.command_id
    generation = api.generation
    assert await target.restart(order) == done
    assert api.generation == generation == 2


async def test_a_scaling_is_taken_back_once(example: ModuleType, api: Api, tmp_path: Path) -> None:
    """To what was there before it; one that was followed by another stays as it is."""
    target = deployment(example, api, tmp_path)
    first = command("resource_scale", parameters={"factor": 2.0})
    assert (await target.scale(first)).message == "4 replicas"
    undo = command("resource_scale", rollback_of=first.command_id)
    for _ in range(2):
        assert await target.scale(undo) == Outcome("success", "2 replicas", {"replicas": 2})
    assert len(api.patches) == 2
    late = command("resource_scale", rollback_of=first.command_id)
    assert (await target.scale(late)).status == "not_attempted"
    assert api.replicas == 2


async def test_scale_multiplies_once(example: ModuleType, api: Api, tmp_path: Path) -> None:
    """By the factor, rounded up; a repeat of the command does not multiply again, and somebody
    else's change in between is not overwritten."""
    api.rivals = 1
    order = command("resource_scale", parameters={"factor": 1.6, "max_instances": None})
    target = deployment(example, api, tmp_path)
    for _ in range(2):
        assert await target.scale(order) == Outcome("success", "4 replicas", {"replicas": 4})
    assert len(api.patches) == 1
    most = command("resource_scale", parameters={"factor": 2.0, "max_instances": 5})
    assert (await target.scale(most)).message == "5 replicas"
    again = command("resource_scale", parameters={"factor": 2.0, "max_instances": 5})
    assert await target.scale(again) == Outcome("not_attempted", "5 replicas are the most allowed")


async def test_what_does_not_work(example: ModuleType, api: Api, tmp_path: Path) -> None:
    """A stuck rollout is failed; a missing deployment and a wrong token are not attempted."""
    order = command("service_restart")
    missing = deployment(example, api, tmp_path, name="nobody")
    assert await missing.restart(order) == Outcome("not_attempted", "PATCH: HTTP 404")
    target = deployment(example, api, tmp_path)
    api.stuck = True
    assert (await target.restart(order)).message == "the rollout is stuck"
    (tmp_path / "token").write_text("wrong")
    assert (await target.scale(order)).message == "GET: HTTP 401"
    api.busy = 99
    (tmp_path / "token").write_text("letmein")
    with pytest.raises(ConnectionError, match="PATCH: HTTP 503"):
        await target.restart(command("service_restart"))


async def test_the_whole_way(
    example: ModuleType, api: Api, tmp_path: Path, embedded_broker: str, prefix: str
) -> None:
    """A signed command on the topic becomes a rollout and a result."""
    names = (f"{prefix}.commands", f"{prefix}.results")
    await asyncio.to_thread(topics.create, embedded_broker, *names)
    executor = example.executor(
        "orders",
        deployment(example, api, tmp_path),
        keys=KEYS,
        brokers=embedded_broker,
        instance="o",
        commands_topic=names[0],
        results_topic=names[1],
    )
    running = asyncio.create_task(executor.run())
    order = command("service_restart", delivery="exactly_one")
    await asyncio.to_thread(topics.publish, embedded_broker, names[0], signed(order))
    (result,) = await asyncio.to_thread(topics.results, embedded_broker, names[1], 1)
    executor.stop()
    await running
    assert (result.status, result.message, result.step) == (
        "success",
        "2 replicas",
        "1 of 2 replicas",
    )
