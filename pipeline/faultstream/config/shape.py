"""Holds plain values against the policy types and says everything that does not fit.

msgspec stops at the first error; this walks the types itself and lets msgspec judge the leaves, so
that a file with five mistakes is mended in one go.
"""

import difflib
import math
import types
from collections.abc import Iterable
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from faultstream.config.errors import Problem, shown
from faultstream.config.source import Source, joined
from faultstream.core.policy import Name

_NAME_PATTERN = getattr(inspect.type_info(Name), "pattern", None)


def misfits(source: Source, kind: Any, value: Any, path: str = "") -> list[Problem]:
    """What keeps `value`, which stands at `path`, from being a `kind`; empty exactly when it can
    be converted to one.

    `kind` is built of msgspec structs, dicts with string keys, tuples of one type and plain
    values.
    """
    return _Walk(source).at(kind, value, path)


def bound(kind: Any) -> str:  # noqa: PLR0911  (one per kind of value)
    """What a value of the annotated type `kind` may be, in words."""
    match inspect.type_info(kind):
        case inspect.LiteralType(values=values):
            return " or ".join(str(value) for value in _listed(kind) or values)
        case inspect.StrType(pattern=pattern, min_length=least, max_length=most):
            if pattern and pattern == _NAME_PATTERN:
                return (
                    f"a name: {least} to {most} letters, digits and . _ / -, "
                    "the first a letter or digit"
                )
            length = f" of {least or 0} to {most} characters" if most else ""
            return f"a string{length}" + (f" that matches {pattern}" if pattern else "")
        case inspect.IntType() | inspect.FloatType() as number:
            return _range(
                "a whole number" if isinstance(number, inspect.IntType) else "a number", number
            )
        case inspect.BoolType():
            return "true or false"
        case inspect.VarTupleType() | inspect.ListType():
            return "a list"
        case inspect.UnionType():
            parts = get_args(_unwrapped(kind)) if _several(kind) else (_present(kind),)
            return " or ".join(bound(part) for part in parts)
        case inspect.AnyType():
            return "anything"
    return "a mapping"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that names the likeliest of `known`, or all of them when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]}?"
    return f"Known: {', '.join(names)}." if names else ""


def unknown(source: Source, path: str, noun: str, name: str, known: object) -> Problem:
    """The problem that nothing of this name is among `known`."""
    names = list(known) if isinstance(known, dict) else []
    return source.problem(
        path, f"there is no such {noun}", value=shown(name), mend=did_you_mean(name, names)
    )


class _Walk:
    """Descends the type and the value together; `problems` grow in the order of the file."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def at(self, kind: Any, value: Any, path: str) -> list[Problem]:
        plain = _unwrapped(kind)
        if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
            return self._struct(plain, value, path)
        if get_origin(plain) is dict:
            return self._dict(plain, value, path)
        if get_origin(plain) is tuple:
            return self._tuple(plain, value, path)
        if get_origin(plain) in (Union, types.UnionType):
            if _several(plain):
                return [] if _fits(kind, value) else [self._wrong(kind, value, path)]
            return [] if value is None else self.at(_present(plain), value, path)
        return [] if _fits(kind, value) else [self._wrong(kind, value, path)]

    def _struct(self, kind: type[msgspec.Struct], value: Any, path: str) -> list[Problem]:
        if not isinstance(value, dict):
            return [self._wrong(kind, value, path)]
        hints = hints_of(kind)
        problems: list[Problem] = []
        for name, below in value.items():
            place = joined(path, name)
            if name in hints:
                problems += self.at(hints[name], below, place)
            else:
                mend = did_you_mean(name, hints)
                problems.append(self._source.problem(place, "unknown setting", mend=mend))
        for field in msgspec.structs.fields(kind):
            if field.required and field.encode_name not in value:
                place = joined(path, field.encode_name)
                needed = bound(hints[field.encode_name])
                problems.append(self._source.problem(place, "is missing", bound=needed))
        return problems

    def _dict(self, kind: Any, value: Any, path: str) -> list[Problem]:
        if not isinstance(value, dict):
            return [self._wrong(kind, value, path)]
        key_kind, value_kind = get_args(kind)
        problems: list[Problem] = []
        for key, below in value.items():
            place = joined(path, key)
            if _fits(key_kind, key):
                problems += self.at(value_kind, below, place)
            else:
                problems.append(self._wrong(key_kind, key, place, "wrong name"))
        return problems

    def _tuple(self, kind: Any, value: Any, path: str) -> list[Problem]:
        if not isinstance(value, list):
            return [self._wrong(kind, value, path)]
        item = get_args(kind)[0]
        return [
            problem
            for index, below in enumerate(value)
            for problem in self.at(item, below, joined(path, index))
        ]

    def _wrong(self, kind: Any, value: Any, path: str, problem: str = "wrong value") -> Problem:
        mend = ""
        if isinstance(value, str) and (names := _listed(kind)):
            near = did_you_mean(value, [str(name) for name in names])
            mend = near if near.startswith("Did") else ""
        elif isinstance(value, bool) and bound(kind) != "true or false":
            mend = "YAML reads yes, no, on and off as booleans; put a name like that in quotes."
        return self._source.problem(path, problem, bound=bound(kind), value=shown(value), mend=mend)


def hints_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The annotated types of a struct's fields by the names that stand in files."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(kind)}


def _unwrapped(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _present(kind: Any) -> Any:
    """The one type of an optional that is not None."""
    return next(part for part in get_args(_unwrapped(kind)) if part is not types.NoneType)


def _several(kind: Any) -> bool:
    """Whether it is a choice of types, not one that may be absent."""
    return types.NoneType not in get_args(_unwrapped(kind))


def _listed(kind: Any) -> tuple[Any, ...]:
    """The values of a Literal, in the order in which it was written."""
    plain = _unwrapped(kind)
    return get_args(plain) if isinstance(inspect.type_info(plain), inspect.LiteralType) else ()


def _fits(kind: Any, value: Any) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _range(noun: str, kind: inspect.IntType | inspect.FloatType) -> str:
    least = [f"at least {kind.ge:_}"] if kind.ge is not None else []
    least += [f"above {kind.gt:_}"] if kind.gt is not None else []
    most = [f"at most {kind.le:_}"] if kind.le is not None else []
    most += [f"below {kind.lt:_}"] if kind.lt is not None else []
    if kind.ge is not None and kind.le is not None:
        return f"{noun} from {kind.ge:_} to {kind.le:_}"
    return " ".join([noun, " and ".join(least + most)]).strip()
