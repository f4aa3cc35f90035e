"""Without a GPU one line says what is missing and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from workload.gpu import compiler, driver
from workload.gpu.missing import COMPILER_MISSING, DRIVER_MISSING, GPU_MISSING

THERE = "libc.so.6"  # a library that every machine has, in place of the driver's


def test_the_first_thing_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "LIBRARY", "libnothing.so.1")
    monkeypatch.setattr(driver, "loaded", compiler.loaded.__wrapped__)
    assert driver.missing(tmp_path, "libnothing.so.1") == DRIVER_MISSING
    assert driver.missing(tmp_path, THERE) == GPU_MISSING
    (tmp_path / "nvidiactl").touch()
    assert driver.missing(tmp_path, THERE) == GPU_MISSING
    (tmp_path / "nvidia0").touch()
    assert driver.missing(tmp_path, THERE) == COMPILER_MISSING
    monkeypatch.setattr(driver, "loaded", lambda: None)
    assert driver.missing(tmp_path, THERE) is None


@pytest.mark.parametrize("words", [COMPILER_MISSING, DRIVER_MISSING, GPU_MISSING])
def test_each_is_one_line_that_says_what_to_do(words: str) -> None:
    assert "\n" not in words
    assert words.endswith("or take another backend, such as simd")
