"""The cache believes only entries that nobody but us can have written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workload.convolve import simd_cache
from workload.convolve.simd_cache import CodeCache

CODE = b"machine code"


@pytest.fixture
def cache(tmp_path: Path) -> CodeCache:
    made = CodeCache(tmp_path / "kernels")
    made.put("key", CODE)
    return made


def test_returns_what_was_put(cache: CodeCache) -> None:
    assert cache.get("key") == CODE
    cache.put("key", b"newer")
    assert cache.get("key") == b"newer"
    assert cache.get("another key") is None
    assert [path.suffix for path in cache.directory.iterdir()] == [".kernel"]


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_refuses_an_entry_others_can_write(cache: CodeCache, mode: int) -> None:
    cache.path("key").chmod(mode)
    assert cache.get("key") is None


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_refuses_a_directory_others_can_write(cache: CodeCache, mode: int) -> None:
    cache.directory.chmod(mode)
    assert cache.get("key") is None
    cache.put("new", CODE)
    assert not cache.path("new").exists()


def test_refuses_what_another_user_owns(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simd_cache.os, "geteuid", lambda: os.getuid() + 1)
    assert cache.get("key") is None
    cache.put("new", CODE)
    assert not cache.path("new").exists()


def test_refuses_a_linked_directory(cache: CodeCache, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(cache.directory)
    assert CodeCache(tmp_path / "link").get("key") is None


def test_refuses_a_linked_entry(cache: CodeCache, tmp_path: Path) -> None:
    moved = cache.path("key").rename(tmp_path / "elsewhere")
    cache.path("key").symlink_to(moved)
    assert cache.get("key") is None


def test_refuses_an_entry_under_another_key(cache: CodeCache) -> None:
    cache.path("key").rename(cache.path("another key"))
    assert cache.get("another key") is None


def test_does_not_wait_on_a_pipe(cache: CodeCache) -> None:
    cache.path("key").unlink()
    os.mkfifo(cache.path("key"))
    assert cache.get("key") is None


def test_failed_write_leaves_nothing(cache: CodeCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    cache.put("new", CODE)
    monkeypatch.undo()
    assert [path for path in cache.directory.iterdir() if path != cache.path("key")] == []
