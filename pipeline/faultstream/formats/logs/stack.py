"""Stack traces as text, of any language, to type, message, causes and frames.

Frames come out outermost first, causes outermost first, as events have them.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from faultstream.core.event import Cause, Frame

TRACEBACK: Final = re.compile(r"\s*(?:\+ Exception Group )?Traceback \(most recent call last\):")
_GROUP: Final = "+ Exception Group"
_MARGIN: Final = re.compile(r"\s*(?:\| ?|(?=\+[- ]))")
"""What stands before each line of an exception group."""
CHAINED: Final = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
THROWN: Final = re.compile(
    r"(?:Exception in thread \"[^\"]{0,200}\" |Uncaught |Unhandled exception\. "
    r"|\(node:\d{1,10}\) UnhandledPromiseRejectionWarning: )?"
    r"(?P<type>(?:[A-Za-z_$][\w$]{0,200}[./]){0,20}[A-Z][\w$]{0,200}?)"
    r"(?: \[(?P<code>\w{1,60})\])?(?:: ?(?P<message>.*))?$"
)
AT: Final = re.compile(r"\s+at (?P<place>\S.*)$")
MORE: Final = re.compile(
    r"\s*\.\.\. \d+ (?:more|common frames omitted)|\s+\.{3} \d+ lines matching"
)
CAUSED: Final = re.compile(r"\s*(?:Caused by|\[cause\]): (?P<thrown>.*)$")
_SUPPRESSED: Final = re.compile(r"\s+Suppressed: ")
_FILE: Final = re.compile(r'\s+File "([^"]*)", line (\d+)(?:, in (.*))?')
_JAVA_PLACE: Final = re.compile(
    r"(?:[\w.@~-]*//?)?(?P<module>[^\s()]*)\.(?P<function>[^\s().]+)\("
    r"(?P<file>[^():]*)(?::(?P<line>\d+))?\)"
)
_NODE_PLACE: Final = re.compile(
    r"(?:(?P<function>[^()]+?) \()?(?P<file>(?:file://|node:|[A-Za-z]:\\|/)?[^():]*"
    r"):(?P<line>\d+):\d+\)?"
)
_PYTHON_THROWN: Final = re.compile(r"(?P<type>[A-Za-z_][\w.<>]{0,400})(?:: (?P<message>.*))?$")
_GO_CALL: Final = re.compile(
    r"(?:created by )?(?P<name>[\w./*()\[\]{}·$@~-]+?)(?:\([^()]*\)| in goroutine \d+)?$"
)
_GO_PLACE: Final = re.compile(r"\t(?P<file>\S.*):(?P<line>\d+)(?: \+0x[0-9a-f]+)?$")


class Stack(NamedTuple):
    """An exception that was found in a text."""

    error_type: str
    message: str
    causes: list[Cause]
    frames: list[Frame]


def parse(lines: Sequence[str]) -> Stack | None:
    """The exception in lines of any language; None when there is none."""
    for number, line in enumerate(lines):
        if TRACEBACK.match(line):
            return python(lines[number:])
        if line.startswith("goroutine ") and line.rstrip().endswith(":"):
            return go(lines)
    return thrown(lines)


def python(lines: Sequence[str]) -> Stack | None:
    """A traceback. With several, the last exception is the event and those before its causes; of
    an exception group the group is the event, unless another exception followed from it, and its
    causes begin with those in it."""
    found: list[Stack] = []
    frames: list[Frame] = []
    message: list[str] | None = None
    error_type = ""
    group: int | None = None
    outer = False
    for number, raw in enumerate((*lines, "Traceback (most recent call last):")):
        margin = _MARGIN.match(raw)
        line = raw[margin.end() :] if margin else raw
        place = _FILE.match(line)
        if TRACEBACK.match(line) or line.startswith((*CHAINED, "+-")):
            if message is not None:
                found.append(Stack(error_type, "\n".join(message).rstrip(), [], frames))
            frames, message = [], None
            if group is None and line.startswith(_GROUP):
                group = len(found)
            elif group is not None and margin is None and number < len(lines):
                outer = True
        elif message is not None:
            message.append(line)
        elif place:
            frames.append(Frame(file=place[1], line=int(place[2]), function=place[3] or ""))
        elif line[:1] not in " \t" and line:
            match = _PYTHON_THROWN.match(line)
            error_type = match["type"] if match else "Exception"
            message = [(match["message"] or "") if match else line]
    return _arranged(found, group, outer=outer) if found else None


def _arranged(found: list[Stack], group: int | None, *, outer: bool) -> Stack:
    """The event of tracebacks in the order of the text, with the others as its causes. `group` is
    the place of an exception group, `outer` says that the last one followed from it."""
    last = len(found) - 1
    inner = last if group is None else min(group, last)
    event, others = found[inner], [*found[inner + 1 :], *reversed(found[:inner])]
    if outer and inner < last:
        event, others = found[last], [event, *found[inner + 1 : last], *reversed(found[:inner])]
    causes = [Cause(one.error_type, one.message) for one in others]
    return Stack(event.error_type, event.message, causes, event.frames)


def thrown(lines: Sequence[str]) -> Stack | None:  # noqa: C901 - one case a kind of line
    """A trace of Java, Node or .NET: what was thrown, `at` lines, what caused it."""
    error_type, message = "", ""
    causes: list[Cause] = []
    frames: list[Frame] = []
    ours = True  # frames belong to the event, not to a cause or a suppressed one
    seen = False
    for line in lines:
        at = AT.match(line)
        caused = CAUSED.match(line)
        if at:
            seen = True
            if ours and error_type:
                frames.append(_frame(at["place"].removesuffix(" {")))
        elif caused:
            ours = False
            match = THROWN.match(caused["thrown"].strip())
            if match:
                causes.append(Cause(match["type"], (match["message"] or "").strip()))
        elif _SUPPRESSED.match(line):
            ours = False
        elif not error_type:
            match = THROWN.match(line.strip())
            if match:
                error_type, message = match["type"], match["message"] or ""
        elif not seen and not MORE.match(line):
            message = f"{message}\n{line}"
    if not error_type or not seen:
        return None
    return Stack(error_type, message.strip(), causes, frames[::-1])


def go(lines: Sequence[str]) -> Stack | None:
    """The frames of the first goroutine; type and message are for the format to say."""
    frames: list[Frame] = []
    inside = False
    name = ""
    for line in lines:
        place = _GO_PLACE.match(line)
        if line.startswith("goroutine "):
            if inside:
                break
            inside = True
        elif inside and place and name:
            module, function = _go_name(name)
            number = int(place["line"])
            frames.append(Frame(module=module, function=function, file=place["file"], line=number))
            name = ""
        elif inside:
            call = _GO_CALL.match(line)
            name = call["name"] if call else ""
    return Stack("panic", "", [], frames[::-1]) if inside else None


def _go_name(name: str) -> tuple[str, str]:
    folder, slash, last = name.rpartition("/")
    package, _, function = last.partition(".")
    return folder + slash + package, function


def _frame(place: str) -> Frame:
    java = _JAVA_PLACE.match(place)
    if java:
        return Frame(
            module=java["module"],
            function=java["function"],
            file=java["file"],
            line=int(java["line"] or 0),
        )
    node = _NODE_PLACE.fullmatch(place.removeprefix("async "))
    if node:
        function = (node["function"] or "<anonymous>").removeprefix("async ")
        return Frame(function=function, file=node["file"], line=int(node["line"]))
    return Frame(function=place[:512])
