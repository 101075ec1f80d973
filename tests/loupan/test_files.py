"""Files that others read meanwhile."""

from pathlib import Path

import pytest

from loupan.files import replace_text


def test_a_text_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for text in ("old", "new"):
        replace_text(path, text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_where_it_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        replace_text(path, "new")
    assert list(tmp_path.iterdir()) == [path]
