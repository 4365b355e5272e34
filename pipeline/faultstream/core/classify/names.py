"""Error type names of any language, brought to one form: dotted, without generics and pointers."""

import re
from functools import lru_cache
from itertools import islice
from typing import Final

from faultstream.core.frames import plain_type

_GENERIC: Final = re.compile(r"[<\[(`].*$")
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ROOTS: Final = ("builtins.", "__main__.", "exceptions.", "java.base.")


@lru_cache(maxsize=1_024)
def dotted(error_type: str) -> str:
    """`*net.OpError`, `Redis::TimeoutError` and `Illuminate\\Database\\QueryException` in dots."""
    name = _GENERIC.sub("", plain_type(error_type).lstrip("&")).strip()
    name = name.replace("::", ".").replace("\\", ".").replace("/", ".").replace("$", ".")
    name = name.replace("<locals>.", "").strip(".")
    for root in _ROOTS:
        name = name.removeprefix(root)
    return name


def leaf(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def words(name: str, most: int | None = None) -> list[str]:
    """The words of a camel-case or snake-case name, in lower case; the first `most` of them."""
    if most is None:
        return [word.lower() for word in _WORDS.findall(name)]
    return [match[0].lower() for match in islice(_WORDS.finditer(name), most)]
