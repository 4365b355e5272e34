"""A command's parameters for the world outside: checked by the strategy's types, then plain text.

Nothing of a command is ever part of a program's text: values become whole arguments or parts of
one, and variables of the environment.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from faultstream.core.records import RecoveryCommand
from faultstream.core.strategy import STRATEGIES, check

MAX_CHARS: Final = 500
MAX_PARAMETERS: Final = 50
ALWAYS: Final = (
    "command_id",
    "incident_id",
    "environment",
    "service",
    "strategy",
    "attempt",
    "rollback_of",
)
"""What every command has beside its parameters; `rollback_of` is empty in most."""

_PLACE: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class ParameterError(ValueError):
    """A command's parameters cannot be used; says which and why."""


def known(strategy: str) -> frozenset[str] | None:
    """The names of a strategy's parameters; None when it is one of your own, which may have any."""
    kind = STRATEGIES.get(strategy)
    if kind is None:
        return None
    return frozenset(field.name for field in msgspec.structs.fields(kind))


def places(texts: Sequence[str]) -> list[str]:
    """The names that stand in braces."""
    return [name for text in texts for name in _PLACE.findall(text)]


def words(command: RecoveryCommand) -> dict[str, str]:
    """What a template may name: the parameters, with defaults, and `ALWAYS`. Unset ones are left
    out; for a built-in strategy so is what it does not know.

    Raises:
        ParameterError: a value has the wrong type, is out of bounds, or is no single value.
    """
    return {
        **{name: _text(name, value) for name, value in _typed(command).items()},
        "command_id": _text("command_id", command.command_id),
        "incident_id": _text("incident_id", command.incident_id),
        "environment": _text("environment", command.target.environment),
        "service": _text("service", command.target.service),
        "strategy": _text("strategy", command.strategy),
        "attempt": str(command.attempt),
        "rollback_of": _text("rollback_of", command.rollback_of),
    }


def filled(argv: Sequence[str], given: Mapping[str, str]) -> list[str]:
    """`argv` with its places filled. The first element is never touched.

    Raises:
        ParameterError: a value is missing, or would be taken for an option.
    """
    return [argv[0], *(_filled(template, given) for template in argv[1:])]


def _filled(template: str, given: Mapping[str, str]) -> str:
    def value(found: "re.Match[str]") -> str:
        name = found[1]
        if name not in given:
            raise ParameterError(f"{name} is not set")
        if found.start() == 0 and given[name].startswith("-"):
            raise ParameterError(f"{name} begins with '-', which a program takes for an option")
        return given[name]

    return _PLACE.sub(value, template)


def _typed(command: RecoveryCommand) -> dict[str, Any]:
    names = known(command.strategy)
    if names is None:
        found = dict(command.parameters)
        for name in found:
            if not _NAME.fullmatch(name):
                raise ParameterError(f"{name[:80]!r} is no name of a parameter")
    else:
        found = {name: value for name, value in command.parameters.items() if name in names}
        if wrong := check(command.strategy, found):
            raise ParameterError("; ".join(wrong))
        made = msgspec.convert(found, STRATEGIES[command.strategy])
        found = msgspec.structs.asdict(made)
    if len(found) > MAX_PARAMETERS:
        raise ParameterError(f"{len(found)} parameters, at most {MAX_PARAMETERS} are taken")
    return {
        name: value
        for name, value in found.items()
        if value is not None and value is not msgspec.UNSET
    }


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise ParameterError(f"{name} is no single value")
    text = str(value)
    if len(text) > MAX_CHARS:
        raise ParameterError(f"{name} has {len(text)} characters, at most {MAX_CHARS} are taken")
    if _CONTROL.search(text):
        raise ParameterError(f"{name} has control characters")
    return text
