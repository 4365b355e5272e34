"""The reference of every setting, as Markdown made from the policy types.

`python -m faultstream.config.reference docs/reference` writes it; a test keeps it up to date.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import msgspec

from faultstream.config.settings import PREFIX, VARIABLES
from faultstream.config.shape import bound, hints_of
from faultstream.core import policy
from faultstream.core.machine import drawing
from faultstream.core.strategy import STRATEGIES

_MADE: Final = "<!-- Made by `python -m faultstream.config.reference docs/reference`. -->"
_INTRODUCTION: Final = (
    "What the pipeline is. Unknown settings are refused; `faultstream check` says everything "
    "that is wrong, with line and mend. Lengths end in `_ms` and are milliseconds, shares end "
    "in `_ratio` and are 0 to 1. A setting without a default must be given."
)


def pages() -> dict[str, str]:
    """The pages by file name."""
    return {
        "topology.md": _topology(),
        "configuration.md": _configuration(),
        "recovery-machine.md": _machine(),
    }


def main(folder: Path) -> None:
    """Writes the pages into `folder`."""
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")


def _topology() -> str:
    parts = [
        "# topology.yaml",
        _MADE,
        _INTRODUCTION + f" A name is {bound(policy.Name).split(': ')[1]}.",
        *_sections(policy.Topology, ""),
        "# Parameters of the built-in strategies",
        "What may stand under `strategies.<name>.parameters`. One of your own may carry anything.",
        *(part for name, kind in STRATEGIES.items() for part in _sections(kind, name)),
    ]
    return "\n\n".join(parts) + "\n"


def _sections(kind: type[msgspec.Struct], path: str) -> Iterator[str]:
    hints = hints_of(kind)
    inner = {
        name: found
        for name, hint in hints.items()
        if (found := _struct(hint, name)) and found[0] is not kind
    }
    plain = [field for field in msgspec.structs.fields(kind) if field.encode_name not in inner]
    if path:
        yield f"## {path}"
        yield _prose(inspect.getdoc(kind) or "")
    if plain:
        notes = _notes(kind)
        rows = ["| setting | value | default | |", "|---|---|---|---|"]
        rows += [
            f"| `{field.encode_name}` | {_cell(hints[field.encode_name])} | {_default(field)} "
            f"| {notes.get(field.name, '')} |"
            for field in plain
        ]
        yield "\n".join(rows)
    for name, (below, step) in inner.items():
        yield from _sections(below, f"{path}.{name}{step}" if path else f"{name}{step}")


def _struct(hint: Any, name: str) -> tuple[type[msgspec.Struct], str] | None:
    """The struct in a setting's type, and how it is reached from there."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint, ""
    if get_origin(hint) in (dict, tuple) and (args := get_args(hint)):
        item = args[1] if get_origin(hint) is dict else args[0]
        if isinstance(item, type) and issubclass(item, msgspec.Struct):
            key = "<role>" if name == "topics" else "<name>"
            return item, f".{key}" if get_origin(hint) is dict else "[]"
    return None


def _notes(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The texts behind a struct's fields in its source, and in those of its bases there."""
    notes: dict[str, str] = {}
    for one in kind.__mro__:
        if one.__module__ == kind.__module__:
            notes = {**_notes_of(one), **notes}
    return notes


def _notes_of(kind: type) -> dict[str, str]:
    tree = ast.parse(inspect.getsource(kind))
    (declared,) = tree.body
    assert isinstance(declared, ast.ClassDef)  # noqa: S101  (what getsource of a class gives)
    notes: dict[str, str] = {}
    for field, text in zip(declared.body, declared.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            notes[field.target.id] = _prose(str(text.value.value))
    return notes


def _prose(text: str) -> str:
    return " ".join(text.split())


def _cell(hint: Any) -> str:
    if get_origin(hint) in (dict, tuple):
        key = "names to " if get_origin(hint) is dict else "list of "
        item = get_args(hint)[1 if get_origin(hint) is dict else 0]
        same = isinstance(item, type) and issubclass(item, msgspec.Struct)
        return key + ("the same" if same else _cell(item))
    text = bound(hint)
    return text.split(":")[0].replace("|", "\\|")


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return ""
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if value is None or value is msgspec.UNSET:
        return "none"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, int):
        return f"`{value:_}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value!r}`".replace("'", '"') if isinstance(value, str) else f"`{value}`"


def _machine() -> str:
    parts = [
        "# The states of an incident",
        _MADE,
        (
            "Every input in every state, as `core/machine.py` has it. An empty cell changes "
            "nothing. In bold the next state, behind it what is done. `undoing` and `withdrawing` "
            "are told as `recovering`. How it is decided is in "
            "[recovery](../how-it-works/recovery.md)."
        ),
        drawing(),
    ]
    return "\n\n".join(parts)


def _configuration() -> str:
    rows = ["| variable | default | |", "|---|---|---|"]
    for variable in VARIABLES:
        default = f"`{variable.default}`" if variable.default else ""
        secret = " Secret." if variable.secret else ""
        rows.append(f"| `{PREFIX}{variable.name}` | {default} | {variable.meaning}{secret} |")
    parts = [
        "# Environment",
        _MADE,
        (
            "Where the pipeline runs, and its secrets. What it does stands in "
            "[topology.yaml](topology.md). An empty variable counts as absent. `faultstream check` "
            "validates both; exit code 2 means that something here or there cannot be used."
        ),
        "\n".join(rows),
        (
            "Exit codes of every command: 0 fine, 1 the answer is no, 2 usage or configuration, "
            "3 cannot reach Kafka or ClickHouse."
        ),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
