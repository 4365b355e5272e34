"""What an exception says of itself: type, bases, message, causes and frames. Never locals."""

import functools
import sys
from types import CodeType, TracebackType
from typing import Final

from faultstream.core.event import MAX_BASES, MAX_CAUSES, MAX_FRAMES, MAX_NAME_CHARS, Cause, Frame

MESSAGE_CHARS: Final = 16 * 1024
CAUSE_CHARS: Final = 1024
CUT_MARK: Final = "...[cut]"
_KEEP_OUTER: Final = 50
_OWN: Final = "faultstream.client."
_CACHED_FRAMES: Final = 2048

Place = tuple[CodeType, int, str]
"""Code, line, module of one frame."""

_CACHED_TYPES: Final = 1024
_bases: dict[type[BaseException], tuple[str, ...]] = {}
_frames: dict[tuple[int, int], tuple[CodeType, Frame]] = {}
_CACHED_STACKS: Final = 256
_stacks: dict[tuple[int, ...], tuple[list[Frame], list[CodeType]]] = {}
"""Frames of a whole stack. The code objects are kept too: as long as they live, so do their ids."""


def type_name(kind: type[BaseException]) -> str:
    """`module.Class`, without the module for Python's own."""
    module = kind.__module__
    if module in {"builtins", "__main__"}:
        return kind.__qualname__
    return f"{module}.{kind.__qualname__}"


def bases_of(kind: type[BaseException]) -> list[str]:
    """Names of the ancestors, nearest first; none for types of the standard library.

    `Exception` and what stands above it say nothing and are left out, as are mixed-in classes that
    are no errors. What was found once is kept: a type's ancestors do not change.
    """
    known = _bases.get(kind)
    if known is None:
        known = () if _is_standard(kind) else _ancestors(kind)
        if len(_bases) >= _CACHED_TYPES:
            _bases.clear()
        _bases[kind] = known
    return list(known)


def _ancestors(kind: type[BaseException]) -> tuple[str, ...]:
    above = [one for one in kind.__mro__[1:] if issubclass(one, BaseException)]
    named = [type_name(one) for one in above if one not in (Exception, BaseException)]
    return tuple(cut(name, MAX_NAME_CHARS) for name in named[:MAX_BASES])


def _is_standard(kind: type[BaseException]) -> bool:
    return kind.__module__.partition(".")[0] in sys.stdlib_module_names


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters; what was shortened ends in a mark."""
    return text if len(text) <= limit else text[: limit - len(CUT_MARK)] + CUT_MARK


def message_of(exc: BaseException) -> str:
    """`str(exc)`, or why there is none; user code runs here and may raise anything."""
    try:
        return str(exc)
    except Exception as broken:  # noqa: BLE001 - a broken __str__ must not hide the error
        return f"<no message: __str__ raised {type(broken).__name__}>"


def chain_of(exc: BaseException | None) -> tuple[type[BaseException], ...]:
    """The types behind `exc`, by direct cause or context; cheap, for telling errors apart."""
    if exc is None or (exc.__cause__ is None and exc.__context__ is None):
        return ()
    found: list[type[BaseException]] = []
    link: BaseException | None = exc
    while link is not None and len(found) < MAX_CAUSES:
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        if link is not None:
            found.append(type(link))
    return tuple(found)


def causes_of(exc: BaseException) -> list[Cause]:
    """The chain behind `exc`, outermost first, members of groups depth first; without `exc`.

    Bounded, and safe with cycles.
    """
    found: list[Cause] = []
    seen = {id(exc)}
    waiting = _behind(exc)
    while waiting and len(found) < MAX_CAUSES:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        found.append(Cause(type_name(type(link)), cut(message_of(link), CAUSE_CHARS)))
        waiting.extend(_behind(link))
    return found


def _behind(exc: BaseException) -> list[BaseException]:
    """What stands directly behind `exc`; the last one is to be told first."""
    behind: list[BaseException] = []
    if exc.__cause__ is not None:
        behind.append(exc.__cause__)
    elif exc.__context__ is not None and not exc.__suppress_context__:
        behind.append(exc.__context__)
    if isinstance(exc, BaseExceptionGroup):
        behind.extend(reversed(exc.exceptions[:MAX_CAUSES]))
    return behind


def stack_of(traceback: TracebackType | None) -> tuple[int, ...]:
    """What tells stacks apart, at the least cost: code and instruction of each frame.

    Of deep recursion both ends.
    """
    found: list[int] = []
    add, number = found.append, id
    while traceback is not None:
        add(number(traceback.tb_frame.f_code))
        add(traceback.tb_lasti)
        traceback = traceback.tb_next
    if len(found) > 2 * MAX_FRAMES:
        found[2 * _KEEP_OUTER : len(found) - 2 * (MAX_FRAMES - _KEEP_OUTER)] = []
    return tuple(found)


def frames_at(stack: tuple[int, ...], traceback: TracebackType | None) -> list[Frame]:
    """The frames of a traceback whose `stack_of` is that; a list of its own, of shared frames."""
    known = _stacks.get(stack)
    if known is None:
        codes: dict[int, CodeType] = {}
        link = traceback
        while link is not None:
            codes[id(link.tb_frame.f_code)] = link.tb_frame.f_code
            link = link.tb_next
        if len(_stacks) >= _CACHED_STACKS:
            _stacks.clear()
        known = _stacks[stack] = (frames_of(places_of(traceback)), list(codes.values()))
    return known[0].copy()


def places_of(traceback: TracebackType | None) -> list[Place]:
    """Where the exception went through, outermost first; of deep recursion both ends.

    What of the client stands in between, such as decorators and middleware, is left out.
    """
    places: list[Place] = []
    while traceback is not None:
        frame = traceback.tb_frame
        module = frame.f_globals.get("__name__", "")
        if not isinstance(module, str) or not module.startswith(_OWN):
            places.append((frame.f_code, traceback.tb_lineno, module))
        traceback = traceback.tb_next
    if len(places) > MAX_FRAMES:
        places[_KEEP_OUTER : len(places) - (MAX_FRAMES - _KEEP_OUTER)] = []
    return places


def frames_of(places: list[Place]) -> list[Frame]:
    """The same as frames of an event; what was made once is kept for the next time."""
    frames = []
    for place in places:
        code, line, _ = place
        known = _frames.get((id(code), line))
        if known is None or known[0] is not code:
            if len(_frames) >= _CACHED_FRAMES:
                _frames.clear()
            known = (code, _frame(place))
            _frames[id(code), line] = known
        frames.append(known[1])
    return frames


def _frame(place: Place) -> Frame:
    code, line, module = place
    return Frame(
        module=module if isinstance(module, str) else "",
        function=code.co_qualname,
        file=_file(code.co_filename, module if isinstance(module, str) else ""),
        line=line or 0,
        in_app=in_app(code.co_filename),
    )


def _file(path: str, module: str) -> str:
    """The path below the folder of the outermost package: the same on every machine."""
    parts = path.replace("\\", "/").split("/")
    depth = module.count(".") + 1
    if parts[-1] == "__init__.py":
        depth += 1
    return "/".join(parts[-depth:])


def in_app(path: str) -> bool:
    """Whether a file belongs to the application: not Python's, not an installed package's."""
    if path.startswith("<") or "site-packages" in path or "dist-packages" in path:
        return False
    return not path.startswith(_foreign())


@functools.cache
def _foreign() -> tuple[str, ...]:
    """Where Python's own modules are."""
    import sysconfig  # noqa: PLC0415 - import time

    paths = sysconfig.get_paths()
    return tuple(path for key in ("stdlib", "platstdlib") if (path := paths.get(key)))
