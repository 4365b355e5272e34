"""An executor that restarts and scales a deployment through the API of Kubernetes, or one like it.

    export FAULTSTREAM_SIGNING_KEY=... FAULTSTREAM_KAFKA=kafka:9092
    python docs/examples/orchestrator.py orders https://kubernetes.default.svc shop orders

The arguments are the service, the API, the namespace and the deployment. In a cluster the token and
the certificate of the pod's service account are used, which needs get and patch on deployments.

Both handlers may be called again after anything went wrong on the way: a restart is an annotation
with the command's id, which changes nothing a second time, and a scaling is written together
with that id, against the version that was read.
"""

import asyncio
import math
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from faultstream.client import Executor, Outcome, RecoveryCommand, progress

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
RESTARTED = "kubectl.kubernetes.io/restartedAt"
COMMAND = "faultstream.io/command"
BEFORE = "faultstream.io/replicas-before"
MERGE = "application/merge-patch+json"
TRIES = 5
MARGIN_MS = 60_000
"""What a rollout may take beyond the grace of its instances."""


class RefusedError(Exception):
    """The API will not do it."""


class Deployment:
    """One deployment. `token_file` is read for every request, as it is renewed."""

    def __init__(
        self,
        api: str,
        namespace: str,
        name: str,
        *,
        token_file: Path,
        tls: ssl.SSLContext | None = None,
        pause_s: float = 0.5,
    ) -> None:
        self._url = f"{api.rstrip('/')}/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        self._token_file = token_file
        self._tls = tls
        self._pause_s = pause_s

    async def restart(self, command: RecoveryCommand) -> Outcome:
        """Replace the instances one after the other, as the deployment's strategy says."""
        when = datetime.fromtimestamp(command.issued_at_ms / 1000, UTC).isoformat()
        annotations = {RESTARTED: when, COMMAND: command.command_id}
        try:
            await self._ask("PATCH", {"spec": _template(annotations)})
            return await self._rolled_out(command)
        except RefusedError as exc:
            return Outcome("not_attempted", str(exc))

    async def scale(self, command: RecoveryCommand) -> Outcome:
        """Multiply the replicas by `factor`, at most `max_instances`; or take that back."""
        try:
            for _ in range(TRIES):
                found = await self._ask("GET")
                if found["metadata"].get("annotations", {}).get(COMMAND) == command.command_id:
                    return await self._rolled_out(command)
                before = found["spec"]["replicas"]
                wanted = _back(command, found) if command.rollback_of else _more(command, before)
                metadata = {
                    "annotations": {COMMAND: command.command_id, BEFORE: str(before)},
                    "resourceVersion": found["metadata"]["resourceVersion"],
                }
                change = {"metadata": metadata, "spec": {"replicas": wanted}}
                if await self._ask("PATCH", change) != {}:  # {}: somebody was faster
                    return await self._rolled_out(command)
        except RefusedError as exc:
            return Outcome("not_attempted", str(exc))
        return Outcome("failed", "the deployment changes all the time")

    async def _rolled_out(self, command: RecoveryCommand) -> Outcome:
        """Wait until all instances are new and available."""
        longest_ms = command.parameters.get("graceful_ms", 0) + MARGIN_MS
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(longest_ms / 1000):
                while True:
                    found = await self._ask("GET")
                    wanted, status = found["spec"]["replicas"], found.get("status", {})
                    ready = min(
                        status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
                    )
                    if status.get("observedGeneration", 0) >= found["metadata"]["generation"]:
                        if _stuck(status):
                            return Outcome("failed", "the rollout is stuck", {"replicas": ready})
                        if ready == wanted == status.get("replicas"):
                            return Outcome("success", f"{wanted} replicas", {"replicas": wanted})
                    progress(f"{ready} of {wanted} replicas", min(1.0, ready / max(1, wanted)))
                    await asyncio.sleep(self._pause_s)
        except TimeoutError:
            return Outcome("partial", f"not rolled out after {longest_ms} ms")

    async def _ask(self, method: str, body: object = None) -> dict[str, Any]:
        """The deployment as the API answers; {} when it was changed by somebody else.

        No answer and 5xx are asked again, as every request here may be repeated.

        Raises:
            RefusedError: any other refusal.
            ConnectionError: no answer `TRIES` times.
        """
        trouble = ""
        for number in range(TRIES):
            headers = {
                "authorization": f"Bearer {self._token_file.read_text().strip()}",
                "content-type": MERGE,
            }
            try:
                async with (
                    aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                    session.request(
                        method, self._url, json=body, headers=headers, ssl=self._tls or True
                    ) as answer,
                ):
                    if answer.status == 409:
                        return {}
                    if answer.status < 300:
                        found: dict[str, Any] = await answer.json()
                        return found
                    trouble = f"{method}: HTTP {answer.status}"
                    if answer.status < 500:
                        raise RefusedError(trouble)
            except (aiohttp.ClientError, TimeoutError) as exc:
                trouble = f"{method}: {type(exc).__name__}"
            await asyncio.sleep(self._pause_s * 2**number)
        raise ConnectionError(trouble)


def _template(annotations: dict[str, str]) -> dict[str, Any]:
    return {"template": {"metadata": {"annotations": annotations}}}


def _more(command: RecoveryCommand, before: int) -> int:
    """How many replicas there should be."""
    most = command.parameters.get("max_instances") or before * 10
    wanted = min(math.ceil(before * command.parameters.get("factor", 1.5)), most)
    if wanted <= before:
        raise RefusedError(f"{before} replicas are the most allowed")
    return wanted


def _back(command: RecoveryCommand, found: dict[str, Any]) -> int:
    """How many there were before the command that is taken back, unless others came after it."""
    notes = found["metadata"].get("annotations", {})
    if notes.get(COMMAND) != command.rollback_of:
        raise RefusedError("it was scaled by something else since, and is left as it is")
    return int(notes[BEFORE])


def _stuck(status: dict[str, Any]) -> bool:
    return any(
        one["type"] == "Progressing" and one["status"] == "False"
        for one in status.get("conditions", [])
    )


def executor(service: str, deployment: Deployment, **settings: Any) -> Executor:
    """An executor of `service`; `settings` are those of `Executor`."""
    made = Executor(service, handler_timeout_s=900.0, **settings)
    made.handles("service_restart")(deployment.restart)
    made.handles("resource_scale", undoes=True)(deployment.scale)
    return made


if __name__ == "__main__":
    service, api, namespace, name = sys.argv[1:]
    tls = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    target = Deployment(api, namespace, name, token_file=ACCOUNT / "token", tls=tls)
    asyncio.run(executor(service, target, journal="executor.journal").run())
