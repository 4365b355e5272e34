"""The short ways of the hot path end where the long ways do."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultstream.core import event as limits
from faultstream.core.scrub import scrub_text
from faultstream.core.template import canonical, shape_key
from faultstream.formats.native import admit

pieces = st.sampled_from(
    ["HTTP ", "status: ", "errno ", "(404)", "(000)", "503 Service", "503", "404", "0", "00", "17",
     "123456", "a1", " ", "é", "\ue004", "\ud800", ".0", " ms", "ORA-", "code=", "x"]
)  # fmt: skip
texts = st.lists(pieces, max_size=6).map("".join)


@settings(max_examples=600)
@given(texts, texts, st.integers(0, 9))
def test_shape_key_is_never_coarser(one: str, other: str, digit: int) -> None:
    """Texts with one key have one canonical form, also when they differ in digits only."""
    third = "".join(str(digit) if char in "12345" else char for char in one)
    for a, b in ((one, other), (one, third), (other, third)):
        assert shape_key(a) != shape_key(b) or canonical(a) == canonical(b)


@pytest.mark.parametrize("name", ["operation", "error_type", "request_id"])
@pytest.mark.parametrize("extra", [{}, {"tags": {"a": "b"}}, {"message": 'said "no"'}])
@pytest.mark.parametrize("others", [0, 1, 40])
@pytest.mark.parametrize("text", ["x", "é", '"', "\\"])
def test_every_long_name_is_found(name: str, extra: dict[str, str], others: int, text: str) -> None:
    """A name one past its limit is cut and one at it is not, wherever it stands in a record."""
    filler = {"frames": [{"module": "a.b", "function": "f"}] * others} if others else {}
    for length in (limits.MAX_NAME_CHARS, limits.MAX_NAME_CHARS + 1):
        plain = {"service": "s", "error_type": "E", **filler, **extra, name: text * length}
        event = admit(orjson.dumps(plain), timestamp_ms=0)
        assert len(getattr(event, name)) == limits.MAX_NAME_CHARS
        assert event.cut == ([name] if length > limits.MAX_NAME_CHARS else [])


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("PASSWORD=Hunter2 İ token: AbCdEfGh1", "PASSWORD=[scrubbed] İ token: [scrubbed]"),
        ("\u017fecret=abcdefgh1 password=x", "\u017fecret=[scrubbed] password=[scrubbed]"),
        ("BASIC dXNlcjpwYXNz", "BASIC [scrubbed]"),
        ("my_KEY=Abcdefgh1 _key=Abcdefgh1", "my_KEY=[scrubbed] _key=Abcdefgh1"),
        ("4111 1111 1111 1111 1111 0000 0000 0000 0000 0000",
         "[card] 1111 0000 0000 0000 0000 0000"),
    ],
)  # fmt: skip
def test_secrets_in_any_case(text: str, clean: str) -> None:
    """Looking at a text in lower case finds the same places, and keeps what is not masked."""
    assert scrub_text(text) == clean
