from __future__ import annotations

import os
from pathlib import Path

import pytest

from results.files import write_whole


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    for content in ("é\r\n", b"\x00\xff"):
        write_whole(tmp_path / "new" / "file", content)
        expected = content.encode() if isinstance(content, str) else content
        assert (tmp_path / "new" / "file").read_bytes() == expected


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
