"""What may change in a schema between releases: optional fields and words may come, no more."""

from collections.abc import Iterator
from typing import Any, Final

_WORDS: Final = {"title", "description", "examples", "$id", "$schema", "$comment"}


def breaks(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Each change from `old` to `new` that could break a producer or a consumer, as a sentence."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new:
            yield f"{path}: was {old!r}, is {new!r}"
        return
    for key in sorted((old.keys() | new.keys()) - _WORDS - {"properties", "$defs"}):
        below = f"{path}.{key}" if path else key
        if key not in new:
            yield f"{below}: is gone"
        elif key not in old:
            yield f"{below}: is new"
        else:
            yield from breaks(old[key], new[key], below)
    for group in ("properties", "$defs"):
        before, after = old.get(group, {}), new.get(group, {})
        for name, part in before.items():
            place = f"{path}.{name}" if path else name
            if name in after:
                yield from breaks(part, after[name], place)
            else:
                yield f"{place}: is gone"
