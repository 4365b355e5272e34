"""Operations from a file: the same settings as `operations`, errors by file, line and path.

JSON needs nothing; YAML needs PyYAML, which the client does not bring along. YAML is read without
tags, anchors and repeated keys, at most MAX_BYTES
of it and MAX_DEPTH deep.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from faultstream.client.compose import Operations, operations

MAX_BYTES: Final = 200_000
MAX_DEPTH: Final = 20


class OperationsFileError(ValueError):
    """The file cannot be used; the message is `file:line: path: what is wrong`."""


def operations_from_file(
    path: Path | str, *, functions: Mapping[str, Callable[..., Any]] | None = None
) -> Operations:
    """The operations in a .yaml, .yml or .json file; see `operations` for what stands in it.

    Raises:
        OperationsFileError: it cannot be read, is no such file, or something in it is wrong.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise OperationsFileError(f"{path}: {exc.strerror or exc}") from exc
    if len(raw) > MAX_BYTES:
        raise OperationsFileError(f"{path}: more than {MAX_BYTES} bytes")
    read = _json if path.suffix == ".json" else _yaml
    plain, lines = read(path, raw)
    if not isinstance(plain, dict) or not all(isinstance(one, dict) for one in plain.values()):
        raise OperationsFileError(f"{path}: expected operations by name, each with its primitives")
    try:
        return operations(plain, functions=functions)
    except ValueError as exc:
        where = str(exc).partition(":")[0]
        line = lines.get(where) or lines.get(where.rpartition(".")[0])
        place = f"{path}:{line}" if line else str(path)
        raise OperationsFileError(f"{place}: {exc}") from exc


def _json(path: Path, raw: bytes) -> tuple[Any, dict[str, int]]:
    try:
        return msgspec.json.decode(raw), {}
    except msgspec.DecodeError as exc:
        raise OperationsFileError(f"{path}: {exc}") from exc


def _yaml(path: Path, raw: bytes) -> tuple[Any, dict[str, int]]:
    """The values, and the line of each `operation.primitive`."""
    try:
        yaml: Any = importlib.import_module("yaml")
    except ImportError as exc:
        raise OperationsFileError(
            f"{path}: PyYAML is not installed; JSON works without (pip install pyyaml)"
        ) from exc
    try:
        _harmless(yaml, path, raw)
        node = yaml.compose(raw, yaml.SafeLoader)
        lines = _lines(yaml, path, node, "", 2)
        return yaml.safe_load(raw), lines
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise OperationsFileError(f"{path}:{line}: {exc.problem}") from exc
    except (yaml.YAMLError, RecursionError) as exc:
        raise OperationsFileError(f"{path}: no YAML: {exc}") from exc


def _harmless(yaml: Any, path: Path, raw: bytes) -> None:
    """Refuse what makes a small file large or slow."""
    depth = 0
    for event in yaml.parse(raw, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise OperationsFileError(f"{path}:{line}: aliases are not allowed")
        if depth > MAX_DEPTH:
            raise OperationsFileError(f"{path}:{line}: nested more than {MAX_DEPTH} deep")


def _lines(yaml: Any, path: Path, node: Any, prefix: str, depth: int) -> dict[str, int]:
    found: dict[str, int] = {}
    if not isinstance(node, yaml.MappingNode):
        return found
    for key, value in node.value:
        name, line = f"{prefix}{key.value}", key.start_mark.line + 1
        if name in found:
            raise OperationsFileError(f"{path}:{line}: {name} is there twice")
        found[name] = line
        if depth:
            found.update(_lines(yaml, path, value, f"{name}.", depth - 1))
    return found
