"""Reads executor.yaml: what an executor beside the services may do, and how."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from faultstream.config.errors import ConfigError, Problem, shown
from faultstream.config.shape import did_you_mean, misfits
from faultstream.config.source import Source
from faultstream.executors import KINDS
from faultstream.executors.parameters import ALWAYS, known, places
from faultstream.executors.policy import Argv, CommandPolicy, ExecutorPolicy, HandlerPolicy

OURS: Final = frozenset(
    {"FAULTSTREAM_SIGNING_KEY", "FAULTSTREAM_SIGNING_KEYS_ACCEPTED", "FAULTSTREAM_CLICKHOUSE"}
)
"""Secrets that no program is given."""


def load(path: Path) -> ExecutorPolicy:
    """The executor that `path` describes. The addresses' secrets are not looked at.

    Raises:
        ConfigError: with every problem that was found, in the order of the file.
    """
    source = Source.of(path)
    problems = source.problems + misfits(source, ExecutorPolicy, source.value)
    if not problems:
        policy = msgspec.convert(source.value, ExecutorPolicy)
        problems = [problem for rule in RULES for problem in rule(source, policy)]
        if not problems:
            return policy
    raise ConfigError.of(sorted(problems, key=lambda problem: problem.line))


def something_to_do(source: Source, policy: ExecutorPolicy) -> Iterator[Problem]:
    """There is a service, and each has a handler."""
    if not policy.services:
        yield source.problem("services", "no service", bound="at least one")
    for name, service in policy.services.items():
        if not service.handlers:
            yield source.problem(f"services.{name}.handlers", "no handler", bound="at least one")


def one_kind(source: Source, policy: ExecutorPolicy) -> Iterator[Problem]:
    """Each handler is of one kind."""
    for path, _, handler in _handlers(policy):
        named = [kind for kind in KINDS if getattr(handler, kind) is not None]
        if len(named) != 1:
            yield source.problem(
                path,
                "two kinds of handler" if named else "no kind of handler",
                bound=f"exactly one of {' and '.join(KINDS)}",
            )


def addresses(source: Source, policy: ExecutorPolicy) -> Iterator[Problem]:
    """A webhook has an address of HTTP, without a password in it."""
    for path, _, handler in _handlers(policy):
        if handler.webhook is None:
            continue
        yield from _address(source, f"{path}.webhook.url", handler.webhook.url)
        if handler.webhook.undo_url is not None:
            yield from _address(source, f"{path}.webhook.undo_url", handler.webhook.undo_url)


def _address(source: Source, place: str, url: str) -> Iterator[Problem]:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        named = "@" in parts.netloc
    except ValueError:
        usable = named = False
    if not usable:
        bound = "an address that begins with http:// or https://"
        yield source.problem(place, "no address", bound=bound)
    elif named:
        mend = "Requests are signed; the receiver checks that."
        yield source.problem(place, "names a user", mend=mend)


def programs(source: Source, policy: ExecutorPolicy) -> Iterator[Problem]:
    """A command names a program by its whole path, and it is there."""
    for path, _, handler in _handlers(policy):
        if handler.command is None:
            continue
        cwd = handler.command.cwd
        for name, argv in _lines(handler.command):
            yield from _program(source, f"{path}.command.{name}", argv)
        if not Path(cwd).is_absolute() or not Path(cwd).is_dir():
            bound = "the absolute path of a folder"
            yield source.problem(f"{path}.command.cwd", "no folder", bound=bound, value=shown(cwd))


def _program(source: Source, place: str, argv: Argv) -> Iterator[Problem]:
    if not argv:
        yield source.problem(place, "no program", bound="at least one element")
    elif not Path(argv[0]).is_absolute():
        bound = "an absolute path"
        yield source.problem(f"{place}[0]", "no path", bound=bound, value=shown(argv[0]))
    elif not Path(argv[0]).is_file() or not os.access(argv[0], os.X_OK):
        problem = "no program that may be run"
        yield source.problem(f"{place}[0]", problem, value=shown(argv[0]))


def parameters(source: Source, policy: ExecutorPolicy) -> Iterator[Problem]:
    """Places in a command name parameters that the strategy has."""
    for path, strategy, handler in _handlers(policy):
        names = known(strategy)
        if handler.command is None or names is None:
            continue
        for line, argv in _lines(handler.command):
            for number, name in _places(argv):
                if name not in names and name not in ALWAYS:
                    yield source.problem(
                        f"{path}.command.{line}[{number}]",
                        f"{strategy} has no such parameter",
                        value=shown(name),
                        mend=did_you_mean(name, [*names, *ALWAYS]),
                    )


def _lines(policy: CommandPolicy) -> Iterator[tuple[str, Argv]]:
    yield "argv", policy.argv
    if policy.undo_argv is not None:
        yield "undo_argv", policy.undo_argv


def _places(argv: Argv) -> Iterator[tuple[int, str]]:
    for number, text in enumerate(argv[1:], 1):
        for name in places([text]):
            yield number, name


def secrets(source: Source, policy: ExecutorPolicy) -> Iterator[Problem]:
    """No program is given the keys of the pipeline."""
    for path, _, handler in _handlers(policy):
        for number, name in enumerate(handler.command.pass_env if handler.command else ()):
            if name in OURS:
                place = f"{path}.command.pass_env[{number}]"
                yield source.problem(place, "is a secret of the pipeline", value=shown(name))


RULES: Final[tuple[Callable[[Source, ExecutorPolicy], Iterator[Problem]], ...]] = (
    something_to_do,
    one_kind,
    addresses,
    programs,
    parameters,
    secrets,
)


def _handlers(policy: ExecutorPolicy) -> Iterator[tuple[str, str, HandlerPolicy]]:
    for service, handlers in policy.services.items():
        for strategy, handler in handlers.handlers.items():
            yield f"services.{service}.handlers.{strategy}", strategy, handler
