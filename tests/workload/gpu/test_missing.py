"""Without a GPU one line says what is missing and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from workload.gpu import compiler, driver
from workload.gpu.missing import COMPILER_MISSING, DRIVER_MISSING, GPU_MISSING, GPU_UNTAKEN

THERE = "libc.so.6"  # a library that every machine has, in place of the driver's


def test_the_first_thing_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "LIBRARY", "libnothing.so.1")
    monkeypatch.setattr(driver, "loaded", compiler.loaded.__wrapped__)
    bus = tmp_path / "bus"
    assert driver.missing(tmp_path, "libnothing.so.1", bus) == DRIVER_MISSING
    assert driver.missing(tmp_path, THERE, bus) == GPU_MISSING
    (tmp_path / "nvidiactl").touch()
    assert driver.missing(tmp_path, THERE, bus) == GPU_MISSING
    (tmp_path / "nvidia0").touch()
    assert driver.missing(tmp_path, THERE, bus) == COMPILER_MISSING
    monkeypatch.setattr(driver, "loaded", lambda: None)
    assert driver.missing(tmp_path, THERE, bus) is None


@pytest.mark.parametrize("path", ["libnothing.so.1", THERE])
@pytest.mark.parametrize(
    ("vendor", "kind", "taken"),
    [
        ("0x10de", "0x030200", False),
        ("0x10de", "0x030000", False),
        ("0x10de", "0x040300", True),  # the sound of a card
        ("0x8086", "0x030000", True),
    ],
)
def test_a_gpu_that_no_driver_takes_is_told_apart(
    tmp_path: Path, path: str, vendor: str, kind: str, taken: bool
) -> None:
    """As under Secure Boot, where the modules are not signed."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "bus" / "gone").mkdir(parents=True)
    (tmp_path / "bus" / "0000:00:03.0").mkdir()
    (tmp_path / "bus" / "0000:00:03.0" / "vendor").write_text(f"{vendor}\n")
    (tmp_path / "bus" / "0000:00:03.0" / "class").write_text(f"{kind}\n")
    found = driver.missing(tmp_path / "dev", path, tmp_path / "bus")
    assert found == (GPU_UNTAKEN if not taken else GPU_MISSING if path == THERE else DRIVER_MISSING)


@pytest.mark.parametrize("words", [COMPILER_MISSING, DRIVER_MISSING, GPU_MISSING, GPU_UNTAKEN])
def test_each_is_one_line_that_says_what_to_do(words: str) -> None:
    assert "\n" not in words
    assert words.endswith("or take another backend, such as simd")
