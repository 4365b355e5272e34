"""ErrorEvent, the record on faultstream.errors.v1 (schemas/errors.v1.schema.json).

The struct is what the wire says. `formats` turns bytes into one, cuts what is too long and
refuses what cannot be used, so everything behind `formats` sees `time` as an integer.
"""

from typing import Final

import msgspec

MAX_RECORD_BYTES: Final = 256 * 1024
MAX_TEXT_CHARS: Final = 16 * 1024
"""Message, frames, causes and tags together: what the patterns of the hot path look through. Of
more each keeps its share, and what others leave of theirs."""
MAX_MESSAGE_CHARS: Final = 12 * 1024
"""Of longer messages the beginning and the end are kept."""
MESSAGE_SHARE: Final = 4 * 1024
MAX_CAUSES_CHARS: Final = 8 * 1024
"""The messages of all causes; past it the longest are cut to the same length."""
CAUSES_SHARE: Final = 1024
MAX_TAGS_CHARS: Final = 8 * 1024
"""The names and values of all tags; past it the longest are cut to the same length."""
TAGS_SHARE: Final = 1024
MAX_FRAMES_CHARS: Final = 16 * 1024
"""The names of all frames; past it frames in the middle are left out."""
FRAMES_SHARE: Final = 6 * 1024
MAX_FRAMES: Final = 200
MAX_CAUSES: Final = 50
MAX_TAGS: Final = 64
MAX_COUNT: Final = 1_000_000_000
MAX_NAME_CHARS: Final = 512
MAX_BASES: Final = 16

DEFAULT_ENVIRONMENT: Final = "production"


class Frame(msgspec.Struct, gc=False, omit_defaults=True):
    """One stack frame. `line` counts from 1, 0 when unknown; `in_app` None when nobody said."""

    module: str = ""
    function: str = ""
    file: str = ""
    line: int = 0
    in_app: bool | None = None


class Cause(msgspec.Struct, gc=False, omit_defaults=True):
    """One link of the chain of causes, outermost first; the event itself is not in it."""

    error_type: str
    message: str = ""


class ErrorEvent(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One error, or `count` identical ones folded together by a client.

    `time` is RFC 3339 or milliseconds since the epoch on the wire, milliseconds once admitted.
    `frames` and `causes` are outermost first. `bases` are the names of the type's ancestors,
    nearest first, without those that every error has. `cut` names the fields that were shortened.
    """

    service: str
    error_type: str
    event_id: str = ""
    time: int | str | None = None
    environment: str = DEFAULT_ENVIRONMENT
    layer: str = ""
    host: str = ""
    instance: str = ""
    release: str = ""
    operation: str = ""
    component: str = ""
    function: str = ""
    message: str = ""
    severity: str = ""
    category: str = ""
    fingerprint: list[str] = []
    handled: bool | None = None
    causes: list[Cause] = []
    bases: list[str] = []
    frames: list[Frame] = []
    recoverable: bool | None = None
    retry_count: int | None = None
    max_retries: int | None = None
    count: int = 1
    http_status: int | None = None
    request_id: str = ""
    user_id: str = ""
    session_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_event_id: str = ""
    correlation_id: str = ""
    experiment_id: str = ""
    tags: dict[str, str] = {}
    cut: list[str] = []
