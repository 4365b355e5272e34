"""The generated reference of the client is current and complete."""

from pathlib import Path

import faultstream.client
from faultstream.config.client_reference import page

FILE = Path(__file__).parents[2] / "docs" / "reference" / "client.md"


def test_the_reference_is_current() -> None:
    """`python -m faultstream.config.client_reference docs/reference` would change nothing."""
    assert FILE.read_text("utf-8") == page()


def test_every_public_name_is_in_it() -> None:
    """But for types that are told elsewhere: the wire's records and the details of an event."""
    text = FILE.read_text("utf-8")
    elsewhere = {"Details", "RecoveryCommand", "JournalInUseError", "backoff"}
    missing = [
        name
        for name in set(faultstream.client.__all__) - elsewhere
        if f"### {name}\n" not in text and f"### class {name}\n" not in text
    ]
    assert missing == []
