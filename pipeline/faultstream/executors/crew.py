"""Crew: the executors of one executor.yaml, one for each service, in one event loop."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from faultstream.client import Executor
from faultstream.executors.kinds import Action, make
from faultstream.executors.policy import ExecutorPolicy, ServiceHandlersPolicy

SLACK_S: Final = 5.0
"""What a handler may take beyond what its action promises."""


class ActionError(ValueError):
    """An action cannot be made; the text begins with its place in the file."""


class Crew:
    """Executors with a journal each. Concurrency is per service; commands of one strategy and
    service are carried out one after the other."""

    def __init__(
        self,
        policy: ExecutorPolicy,
        env: Mapping[str, str],
        *,
        keys: Mapping[str, bytes],
        brokers: str,
        topics: tuple[str, str],
    ) -> None:
        """`env` holds the secrets; `keys` are those that sign commands; `topics` are the names of
        commands and results.

        Raises:
            ActionError: a secret is missing or too short.
            ValueError: no usable signing key, or brokers that are no addresses.
        """
        self._actions: list[Action] = []
        self.executors: list[Executor] = []
        for service, handlers in policy.services.items():
            actions = _actions(service, handlers, env)
            self._actions += actions.values()
            longest_ms = max(action.longest_ms for action in actions.values())
            executor = Executor(
                service,
                keys=keys,
                brokers=brokers,
                environment=policy.environment,
                instance=policy.instance,
                journal=Path(policy.journal) / f"{_file_name(service)}.journal",
                commands_topic=topics[0],
                results_topic=topics[1],
                name="faultstream-executor",
                concurrency=handlers.concurrency,
                handler_timeout_s=longest_ms / 1000 + SLACK_S,
            )
            for strategy, action in actions.items():
                delivery = handlers.handlers[strategy].delivery
                handles = executor.handles(strategy, delivery=delivery, undoes=action.undoes)
                handles(action.__call__)
            self.executors.append(executor)

    @property
    def ready(self) -> bool:
        """Whether commands are being read for every service."""
        return all(executor.stats().ready for executor in self.executors)

    async def run(self) -> None:
        """Carry commands out until `stop`, or cancelled.

        Raises:
            JournalInUseError: another process uses the journals.
        """
        running = [asyncio.ensure_future(executor.run()) for executor in self.executors]
        try:
            await asyncio.gather(*running)
        finally:
            for one in running:
                one.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for action in self._actions:
                await action.close()

    def stop(self, timeout_s: float) -> None:
        """Take no more commands; what runs has `timeout_s` to finish."""
        for executor in self.executors:
            executor.stop(timeout_s)


def _actions(
    service: str, handlers: ServiceHandlersPolicy, env: Mapping[str, str]
) -> dict[str, Action]:
    actions: dict[str, Action] = {}
    for strategy, handler in handlers.handlers.items():
        try:
            actions[strategy] = make(handler, env)
        except ValueError as exc:
            raise ActionError(f"services.{service}.handlers.{strategy}: {exc}") from exc
    return actions


def _file_name(service: str) -> str:
    """Different services have different names; a slash would be a folder."""
    return service.replace("%", "%25").replace("/", "%2F")
