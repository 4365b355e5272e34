"""Looking for many texts at once finds what looking for each of them finds."""

from hypothesis import given
from hypothesis import strategies as st

from faultstream.core.classify.texts import Texts

words = st.text(alphabet="abc ", min_size=1, max_size=9)


@given(st.lists(words, max_size=12), st.text(alphabet="abc ", max_size=60))
def test_as_one_by_one(texts: list[str], message: str) -> None:
    """The texts that stand in a message, however short, and no other."""
    assert Texts(texts).within(message) == {text for text in texts if text in message}
