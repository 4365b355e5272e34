"""Source: a YAML file as plain values that remember the lines they stand on.

Stricter than YAML: a key twice, a key that is no string, a merge key, a tag of one's own and an
alias inside itself are refused. What is read is bounded, so that no file can take all memory.
"""

from pathlib import Path
from typing import Any, Final

import yaml

from faultstream.config.errors import ConfigError, Problem

MAX_BYTES: Final = 1_048_576
MAX_VALUES: Final = 100_000
MAX_DEPTH: Final = 20

_SEQUENCE: Final = "tag:yaml.org,2002:seq"
_MAPPING: Final = "tag:yaml.org,2002:map"
_MERGE: Final = "tag:yaml.org,2002:merge"


def joined(path: str, key: str | int) -> str:
    """`path` with one more step: `routes[2]`, `layers.api`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


class Source:
    """The values of one file, and for each path inside it the line it begins on, from 1."""

    def __init__(self, name: str, text: str) -> None:
        """Reads `text`; `name` is the file's name in messages.

        Raises:
            ConfigError: it is no YAML, or more than this reader allows; `problems` of lesser
                weight (keys that stand there twice) are kept for the caller instead.
        """
        self.name = name
        self.problems: list[Problem] = []
        self.lines: dict[str, int] = {}
        self._left = MAX_VALUES
        self._open: set[int] = set()
        self.value = self._read(text)

    @classmethod
    def of(cls, path: Path) -> "Source":
        """The source in the file `path`, in UTF-8.

        Raises:
            ConfigError: it cannot be read, or as in `__init__`.
        """
        try:
            raw = path.read_bytes()
        except OSError as exc:
            raise ConfigError(str(path), "", f"cannot be read: {exc.strerror}") from exc
        if len(raw) > MAX_BYTES:
            bound = f"at most {MAX_BYTES} bytes"
            raise ConfigError(str(path), "", "too large", bound=bound, value=f"{len(raw)} bytes")
        try:
            return cls(str(path), raw.decode("utf-8"))
        except UnicodeDecodeError as exc:
            raise ConfigError(str(path), "", f"no UTF-8 at byte {exc.start}") from exc

    def line(self, path: str) -> int:
        """The line of `path`, or of the nearest part of it that the file has; 0 when none."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 0)

    def problem(
        self, path: str, problem: str, *, bound: str = "", value: str = "", mend: str = ""
    ) -> Problem:
        """A problem at `path`, with its file and line."""
        return Problem(self.name, path, problem, bound, value, mend, self.line(path))

    def _read(self, text: str) -> Any:
        try:
            loader = yaml.SafeLoader(text)
            try:
                node = loader.get_single_node()
                return None if node is None else self._plain(loader, node, "", 0)
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as exc:
            mark = exc.problem_mark or exc.context_mark
            what = " ".join(part for part in (exc.context, exc.problem) if part)
            line = mark.line + 1 if mark else 0
            raise ConfigError(self.name, "", f"no YAML: {what}", line=line) from exc
        except (yaml.YAMLError, ValueError, RecursionError) as exc:
            raise ConfigError(self.name, "", f"no YAML: {exc}") from exc

    def _plain(self, loader: yaml.SafeLoader, node: yaml.Node, path: str, depth: int) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._left -= 1
        if id(node) in self._open:
            raise ConfigError(self.name, path, "an alias inside itself", line=line)
        if self._left < 0 or depth > MAX_DEPTH:
            bound = f"at most {MAX_VALUES} values, {MAX_DEPTH} deep"
            raise ConfigError(self.name, path, "too many values", bound=bound, line=line)
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_object(node)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
                return [
                    self._plain(loader, child, joined(path, index), depth + 1)
                    for index, child in enumerate(node.value)
                ]
            if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
                return self._mapping(loader, node, path, depth)
        finally:
            self._open.discard(id(node))
        mend = "Leave the tag out."
        raise ConfigError(self.name, path, "no plain value", value=node.tag, mend=mend, line=line)

    def _mapping(
        self, loader: yaml.SafeLoader, node: yaml.MappingNode, path: str, depth: int
    ) -> dict[str, Any]:
        values: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                mend = "Write the settings out, or use an alias for the whole value."
                raise ConfigError(self.name, path, "merge keys are not read", mend=mend, line=line)
            key = _key(loader, key_node)
            if not isinstance(key, str):
                mend = "Put it in quotes."
                bad = Problem(self.name, path, "a key is no text", "", repr(key), mend, line)
                self.problems.append(bad)
                continue
            below = joined(path, key)
            if key in values:
                mend = f"It stands on line {first[key]} already."
                self.problems.append(
                    Problem(self.name, below, "stands here twice", "", "", mend, line)
                )
                continue
            first[key] = self.lines[below] = line
            values[key] = self._plain(loader, value_node, below, depth + 1)
        return values


def _key(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    return loader.construct_object(node) if isinstance(node, yaml.ScalarNode) else node.value
