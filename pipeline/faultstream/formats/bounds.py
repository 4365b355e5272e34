"""How much of one event is taken: limits of every field, and one room for all texts together.

What it costs to look through an event is bounded before any expression sees it. An event
whose message, frames, causes and tags fit in one room, as those of ordinary ones do, keeps them
all. Past it each has a share that nobody takes from it; what others leave of theirs goes to the
message, then to the frames if all of them fit, the causes, the tags. What is cut is named in
`cut`.
"""

from collections.abc import Sequence
from itertools import islice
from operator import attrgetter
from typing import Final

from faultstream.core import event as limits
from faultstream.core.event import ErrorEvent

CUT: Final = " [cut] "
MAX_PARTS: Final = 16
"""Parts of an explicit fingerprint."""
NAMES: Final = (
    "error_type", "event_id", "layer", "host", "instance", "release", "operation", "component",
    "function", "request_id", "user_id", "session_id", "trace_id", "span_id", "parent_event_id",
    "correlation_id", "experiment_id",
)  # fmt: skip
names_of: Final = attrgetter(*NAMES)
"""All names of an event, to measure them at once."""
# In the order in which what is left over is given out: field, its own share, its ceiling.
ROOMS: Final = (
    ("message", limits.MESSAGE_SHARE, limits.MAX_MESSAGE_CHARS),
    ("frames", limits.FRAMES_SHARE, limits.MAX_FRAMES_CHARS),
    ("causes", limits.CAUSES_SHARE, limits.MAX_CAUSES_CHARS),
    ("tags", limits.TAGS_SHARE, limits.MAX_TAGS_CHARS),
)
_SHARED: Final = sum(share for _, share, _ in ROOMS)


def texts(event: ErrorEvent) -> dict[str, int]:
    """How many characters the four fields hold whose texts are looked through."""
    tags = event.tags
    return {
        "message": len(event.message),
        "frames": sum(_frames(event)),
        "causes": sum([len(cause.message) for cause in event.causes]),
        "tags": sum(map(len, tags)) + sum(map(len, tags.values())),
    }


def sizes(event: ErrorEvent) -> dict[str, int]:
    """How many characters each field holds that may be cut, to count what was."""
    return texts(event) | {
        **{name: len(getattr(event, name)) for name in NAMES},
        "causes": sum([len(one.error_type) + len(one.message) for one in event.causes]),
        "bases": sum(map(len, event.bases)),
        "fingerprint": sum(map(len, event.fingerprint)),
    }


def rooms(wanted: dict[str, int]) -> dict[str, int]:
    """What each of the four fields gets of the room, which is what it wants if there is enough."""
    given = {name: min(wanted[name], most) for name, _, most in ROOMS}
    if sum(given.values()) <= limits.MAX_TEXT_CHARS:
        return given
    held = {name: min(given[name], share) for name, share, _ in ROOMS}
    left = _SHARED - sum(held.values())
    for name, more in given.items():
        extra = more - held[name]
        if extra > left:  # what is left of a stack must not depend on how long its message is
            extra = 0 if name == "frames" else left
        held[name] += extra
        left -= extra
    return held


def hold_texts(event: ErrorEvent) -> None:
    """Cuts what is longer than its room."""
    wanted = texts(event)
    given = rooms(wanted)
    if given == wanted:
        return
    if given["message"] < wanted["message"]:
        room = given["message"] - len(CUT)
        end = room // 3
        event.message = f"{event.message[: room - end]}{CUT}{event.message[-end:]}"
        note(event, "message")
    if given["causes"] < wanted["causes"]:
        longest = _level([len(cause.message) for cause in event.causes], given["causes"])
        for cause in event.causes:
            cause.message = cause.message[:longest]
        note(event, "causes")
    if given["tags"] < wanted["tags"]:
        lengths = [*map(len, event.tags), *map(len, event.tags.values())]
        longest = _level(lengths, given["tags"])
        event.tags = {key[:longest]: text[:longest] for key, text in event.tags.items()}
        note(event, "tags")
    if given["frames"] < wanted["frames"]:
        _hold_stack(event, given["frames"])
        note(event, "frames")


def _level(lengths: Sequence[int], room: int) -> int:
    """The length to which all may be cut to fit in `room` together: short ones stay whole."""
    left = len(lengths)
    for length in sorted(lengths):
        if length * left > room:
            return room // left
        room -= length
        left -= 1
    return max(lengths, default=0)


def _frames(event: ErrorEvent) -> list[int]:
    return [len(one.module) + len(one.function) + len(one.file) for one in event.frames]


def _hold_stack(event: ErrorEvent, room: int) -> None:
    """Leaves out frames in the middle: the innermost get three quarters of the room."""
    frames, lengths = event.frames, _frames(event)
    outer, inner = 0, len(frames)
    left = room * 3 // 4
    while inner and lengths[inner - 1] <= left:
        inner -= 1
        left -= lengths[inner]
    left += room - room * 3 // 4
    while outer < inner and lengths[outer] <= left:
        left -= lengths[outer]
        outer += 1
    event.frames = frames[:outer] + frames[inner:]


def note(event: ErrorEvent, field: str) -> None:
    """Name a field in `cut`, once."""
    if field not in event.cut:
        event.cut = [*event.cut, field]


def hold_fields(event: ErrorEvent) -> None:
    """Cuts names, and lists of too many, to their limits."""
    longest = limits.MAX_NAME_CHARS
    event.cut = [name[:longest] for name in event.cut[:50]]
    if max(map(len, names_of(event))) > longest:
        for name in NAMES:
            text = getattr(event, name)
            if len(text) > longest:
                setattr(event, name, text[:longest])
                note(event, name)
    _hold_frames(event)
    _hold_causes(event)
    for name, most in (("bases", limits.MAX_BASES), ("fingerprint", MAX_PARTS)):
        given: list[str] = getattr(event, name)
        if len(given) > most or any(len(one) > longest for one in given[:most]):
            setattr(event, name, [one[:longest] for one in given[:most]])
            note(event, name)
    if len(event.tags) > limits.MAX_TAGS:
        event.tags = dict(islice(event.tags.items(), limits.MAX_TAGS))
        note(event, "tags")
    if any(len(k) > longest or len(v) > 8 * longest for k, v in event.tags.items()):
        event.tags = {key[:longest]: text[: 8 * longest] for key, text in event.tags.items()}
        note(event, "tags")


def _hold_frames(event: ErrorEvent) -> None:
    longest = limits.MAX_NAME_CHARS
    if len(event.frames) > limits.MAX_FRAMES:
        # The innermost say where it broke, the outermost how it came there.
        inner = limits.MAX_FRAMES * 3 // 4
        event.frames = event.frames[: limits.MAX_FRAMES - inner] + event.frames[-inner:]
        note(event, "frames")
    for frame in event.frames:
        if (
            len(frame.module) <= longest
            and len(frame.function) <= longest
            and len(frame.file) <= longest
        ):
            continue
        for name in ("module", "function", "file"):
            text = getattr(frame, name)
            if len(text) > longest:
                setattr(frame, name, text[:longest] if name != "file" else text[-longest:])
                note(event, "frames")


def _hold_causes(event: ErrorEvent) -> None:
    longest = limits.MAX_NAME_CHARS
    if len(event.causes) > limits.MAX_CAUSES:
        event.causes = event.causes[: limits.MAX_CAUSES - 1] + event.causes[-1:]
        note(event, "causes")
    for cause in event.causes:
        if len(cause.error_type) > longest:
            cause.error_type = cause.error_type[:longest]
            note(event, "causes")
