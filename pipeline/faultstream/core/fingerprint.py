"""Fingerprint v1: which events are one problem, and why (row C4).

In order: explicit parts of the producer; else type, chained types and stack frames; else type and
message template. Two variants: `app` over the frames of the application, `system` over all of
them, equal when nobody can tell them apart. Every part that was looked at stands in the explanation, with
the reason where it does not count. The version is stamped on every group: a better algorithm
becomes fs2 and never re-keys what fs1 named.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from faultstream.core.event import ErrorEvent, Frame
from faultstream.core.frames import (
    frame_name,
    in_app,
    is_plumbing,
    plain_type,
    without_recursion,
)
from faultstream.core.group import FINGERPRINT_VERSION
from faultstream.core.template import template

DEFAULT: Final = "{{ default }}"
MAX_APP_FRAMES: Final = 12
"""Innermost application frames that count; further out is how the program came there."""
MAX_CHAIN: Final = 8

_ONE_NUMBER: Final = re.compile(r"<(?:hex|float|size|duration)>")


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


def _digest(parts: Sequence[Part]) -> str:
    digest = hashlib.blake2b(FINGERPRINT_VERSION.encode(), digest_size=16)
    for part in parts:
        if part.counts:
            digest.update(b"\x1e" + part.name.encode())
            for value in part.values:
                digest.update(b"\x1f" + value.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _frames(frames: Sequence[Frame], *, only_app: bool) -> list[str]:
    chosen = [frame for frame in frames if not is_plumbing(frame)]
    if only_app:
        chosen = [frame for frame in chosen if in_app(frame)]
    names = without_recursion([frame_name(frame) for frame in chosen])
    return names[-MAX_APP_FRAMES:] if only_app else names


def _default_parts(
    event: ErrorEvent, text: str, frames: Sequence[str], *, variant: str
) -> list[Part]:
    chain = tuple(plain_type(cause.error_type) for cause in event.causes[-MAX_CHAIN:])
    parts = [Part("type", (plain_type(event.error_type),))]
    if chain:
        parts.append(Part("chain", chain, hint="types of the chained exceptions"))
    if frames:
        parts.append(Part("frames", tuple(frames), hint=f"{variant} frames"))
        parts.append(Part("message", (text,), counts=False, hint="frames take precedence"))
        return parts
    if event.frames:
        parts.append(Part("frames", (), counts=False, hint="nothing but plumbing"))
    shape = _ONE_NUMBER.sub("<int>", text)
    parts.append(Part("message", (shape,), counts=bool(shape), hint="" if shape else "empty"))
    for cause in event.causes[-1:]:
        parts.append(Part("cause", (_ONE_NUMBER.sub("<int>", template(cause.message)),)))
    if not shape and (event.operation or event.function):
        place = (event.operation, event.function)
        parts.append(Part("place", place, hint="no message, no frames"))
    return parts


def fingerprint(event: ErrorEvent, text: str) -> Fingerprint:
    """The fingerprint of an event whose message has the template `text`. Pure.

    Two events with equal fingerprints are one problem; so are two whose `system` variants are
    equal, which keeps groups together when frames change from library to application.
    """
    system_frames = _frames(event.frames, only_app=False)
    app_frames = _frames(event.frames, only_app=True)
    variant = "application" if app_frames else "all (none of the application)"
    parts = _default_parts(event, text, app_frames or system_frames, variant=variant)
    system = _default_parts(event, text, system_frames, variant="all")
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
