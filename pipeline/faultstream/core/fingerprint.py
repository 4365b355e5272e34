"""Fingerprint v1: which events are one problem, and why (row C4).

In order: explicit parts of the producer; else type, chained types and stack frames; else type and
message template. Two variants: `app` over the innermost frames of the application, `system` over
all frames. Every part that was looked at stands in the explanation, with the reason where it does
not count. The version is stamped on every group: a better algorithm becomes fs2 and never re-keys
what fs1 named.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from faultstream.core.event import ErrorEvent, Frame
from faultstream.core.frames import (
    frame_name,
    in_app,
    is_plumbing,
    is_raiser,
    is_test,
    plain_type,
    without_recursion,
)
from faultstream.core.group import FINGERPRINT_VERSION
from faultstream.core.template import template

DEFAULT: Final = "{{ default }}"
MAX_APP_FRAMES: Final = 3
"""Innermost application frames that count: where it broke and from where that was called. One
fault is reached in many ways, so frames further out would divide it; two callers keep different
faults at one throwing place apart."""
MAX_CHAIN: Final = 8

# Which kind a value looks like depends on its digits and letters: one kind for the fingerprint.
_KINDS: Final = re.compile(
    r"<(?:hex|float|size|duration|version|id|ip|host|uuid|who|int)>(?:<int>)*"
)
# Names with numbers in them, as of threads, tasks and blocks: whether one is long enough to look
# like an id is chance too.
_NUMBERED: Final = re.compile(
    r"(?<![\w<>-])[A-Za-z][A-Za-z0-9]{0,40}(?:[_-][A-Za-z][A-Za-z0-9]{0,40}){0,4}"
    r"(?:_<value>|-<value>(?:[_-][A-Za-z][A-Za-z0-9]{0,40}){1,4}[_-]<value>)"
    r"(?:[_-](?:<value>|[A-Za-z0-9]{1,40})){0,8}(?![\w<>-])"
)
# What stands behind `key=` is a value, unless the key is about what went wrong.
_PAIR: Final = re.compile(
    r"(?i)((?<![a-z_.-])(?!(?:\w{0,40}_)?(?:err|error|errno|reason|cause|msg|message|status|code|state"
    r"|type|kind|level|exception|result|fault|desc|description|detail|method|op|operation|action"
    r"|event|phase|stage|error_?code|status_?code)=)[a-z][a-z0-9_.-]{0,40}= ?)"
    r"(?:\"[^\"]{0,256}\"|'[^']{0,256}'|[^\s,;()\[\]{}\"']{1,256})"
)


# An address with its name in brackets, or with none because nobody knew it.
_NAMED: Final = re.compile(r"<ip> ?\((?:<(?:host|ip|id|who)>|unknown)?\)")


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was looked at. `values` count if `counts`; `hint` says why not, or what."""

    name: str
    values: tuple[str, ...]
    counts: bool = True
    hint: str = ""


class Fingerprint(msgspec.Struct, frozen=True):
    """Both variants, 32 hexadecimal digits each, and what they were made of."""

    app: str
    system: str
    template: str
    parts: tuple[Part, ...]
    system_parts: tuple[Part, ...]
    version: str = FINGERPRINT_VERSION


def _shape(text: str) -> str:
    shape = _KINDS.sub("<value>", _PAIR.sub(r"\1<value>", _NAMED.sub("<ip>", text)))
    return _NUMBERED.sub("<value>", shape) if "<value>" in shape else shape


def _digest(parts: Sequence[Part]) -> str:
    digest = hashlib.blake2b(FINGERPRINT_VERSION.encode(), digest_size=16)
    for part in parts:
        if part.counts:
            digest.update(b"\x1e" + part.name.encode())
            for value in part.values:
                digest.update(b"\x1f" + value.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _app_frames(stack: Sequence[Frame]) -> tuple[list[str], bool]:
    """The innermost frames of the application, else of all; and whether they are its own."""
    mine = [frame for frame in stack if in_app(frame)]
    chosen = mine or list(stack)
    chosen = [frame for frame in chosen if not is_test(frame)] or chosen
    last = len(chosen)
    while last > 1 and is_raiser(chosen[last - 1]):
        last -= 1
    names = without_recursion([frame_name(frame) for frame in chosen[:last]])
    counted = MAX_APP_FRAMES - (last < len(chosen))
    return names[-counted:], bool(mine)


class _Said(NamedTuple):
    """What both variants see of an event beside its frames, with templates as shapes."""

    types: tuple[Part, ...]
    text: str
    shape: str
    cause: str


def _said(event: ErrorEvent, text: str, *, framed: bool) -> _Said:
    chain = tuple(plain_type(cause.error_type) for cause in event.causes[-MAX_CHAIN:])
    types = [Part("type", (plain_type(event.error_type),))]
    if chain:
        types.append(Part("chain", chain, hint="types of the chained exceptions"))
    if framed:  # then no message counts
        return _Said(tuple(types), text, "", "")
    cause = _shape(template(event.causes[-1].message)) if event.causes else ""
    return _Said(tuple(types), text, _shape(text), cause)


def _default_parts(
    event: ErrorEvent, said: _Said, frames: Sequence[str], *, variant: str
) -> list[Part]:
    parts = list(said.types)
    if frames:
        parts.append(Part("frames", tuple(frames), hint=f"{variant} frames"))
        parts.append(Part("message", (said.text,), counts=False, hint="frames take precedence"))
        return parts
    if event.frames:
        parts.append(Part("frames", (), counts=False, hint="nothing but plumbing"))
    shape = said.shape
    parts.append(Part("message", (shape,), counts=bool(shape), hint="" if shape else "empty"))
    if event.causes:
        parts.append(Part("cause", (said.cause,)))
    if not shape and (event.operation or event.function):
        place = (event.operation, event.function)
        parts.append(Part("place", place, hint="no message, no frames"))
    return parts


def fingerprint(event: ErrorEvent, text: str) -> Fingerprint:
    """The fingerprint of an event whose message has the template `text`. Pure.

    Two events with equal fingerprints are one problem; so are two whose `system` variants are
    equal, which keeps groups together when frames change from library to application.
    """
    stack = [frame for frame in event.frames if not is_plumbing(frame)]
    system_frames = without_recursion([frame_name(frame) for frame in stack])
    app_frames, mine = _app_frames(stack)
    said = _said(event, text, framed=bool(stack))
    variant = "innermost application" if mine else "innermost (none of the application)"
    parts = _default_parts(event, said, app_frames, variant=variant)
    system = _default_parts(event, said, system_frames, variant="all")
    given = tuple(event.fingerprint)
    if given and given != (DEFAULT,):
        if DEFAULT in given:
            own = Part("given", given, hint="given parts divide the default group")
            parts, system = [own, *parts], [own, *system]
        else:
            own = Part("given", given, hint="given by the producer")
            left = [
                msgspec.structs.replace(part, counts=False, hint="given parts take precedence")
                for part in parts
            ]
            parts = system = [own, *left]
    return Fingerprint(
        app=_digest(parts),
        system=_digest(system),
        template=text,
        parts=tuple(parts),
        system_parts=tuple(system),
    )
