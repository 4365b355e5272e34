"""The data folder belongs to one process, and keeps its key."""

import json
import stat
from pathlib import Path

import pytest

from faultstream.cli.place import Place
from faultstream.config.errors import ConfigError


def test_key_is_made_once(tmp_path: Path) -> None:
    """The same folder has the same key, private, as long as its file stays."""
    first = Place(tmp_path / "data")
    key = first.signing_key()
    first.leave()
    again = Place(tmp_path / "data")
    assert again.signing_key() == key
    assert len(bytes.fromhex(key)) == 32
    file = again.folder / "signing.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.unlink()
    assert again.signing_key() != key
    again.leave()


@pytest.mark.parametrize(("length", "refused"), [(15, True), (16, False)])
def test_short_key_is_refused(tmp_path: Path, length: int, *, refused: bool) -> None:
    """A key file with fewer than 16 bytes is refused with the mend."""
    place = Place(tmp_path)
    file = tmp_path / "signing.key"
    file.write_text("k" * length)
    if not refused:
        assert place.signing_key() == "k" * length
    else:
        with pytest.raises(ConfigError) as error:
            place.signing_key()
        assert str(error.value) == (
            f"{file}: too short for a signing key; must be at least 16 bytes; got 15 bytes. "
            "Delete the file and a new one is made"
        )
    place.leave()


def test_up_json_is_private_and_goes(tmp_path: Path) -> None:
    """up.json is replaced in one step, private, gone when we leave; a stale one goes at once."""
    (tmp_path / "up.json").write_text("{}")
    place = Place(tmp_path)
    assert not place.up_json.exists()
    for number in (1, 2):
        place.write_up({"pids": number})
        assert json.loads(place.up_json.read_text()) == {"pids": number}
    assert stat.S_IMODE(place.up_json.stat().st_mode) == 0o600
    place.leave()
    place.leave()
    assert not place.up_json.exists()


def test_file_instead_of_folder_is_refused(tmp_path: Path) -> None:
    """A path that cannot be a folder is a configuration error."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match="no usable folder: File exists"):
        Place(file)
