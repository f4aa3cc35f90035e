"""How much the probe does, and how far apart its rounds are."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """How much the probe does; tests take less.

    There are several sizes to copy, since a C library copies large arrays past the caches and small ones through them,
    at different rates; two arrays of `cache_bytes` fit a core's own cache. Each code convolves `block` (B, C, H, W),
    larger than the caches, with 3 filters of 3 x 3. One that takes longer than `slow_s` for `small_block` convolves
    that instead, since memory does not limit it. On a GPU copies are of `gpu_bytes`, larger than its caches, and
    multiply-adds by `gpu_threads`, many times what are at work at once. A round repeats its work until it lasts about
    `round_s`, like a phase of a run.
    """

    message_bytes: tuple[int, ...] = (8, 1024, 16 * 1024, 256 * 1024, 4 * 2**20, 16 * 2**20, 64 * 2**20)
    copy_bytes: tuple[int, ...] = (2**26, 2**28)
    cache_bytes: tuple[int, ...] = (2**17, 2**19)
    multiply_adds: int = 2**28
    small_block: tuple[int, int, int, int] = (1, 3, 256, 256)
    block: tuple[int, int, int, int] = (4, 3, 1024, 1024)
    slow_s: float = 0.005
    passes: int = 3
    rounds: int = 4
    round_s: float = 0.05
    gpu_bytes: int = 2**28
    gpu_threads: int = 2**22


def spread(samples: Sequence[float]) -> float:
    """Distance between the quartiles, divided by the median; 0 for fewer than two samples."""
    if len(samples) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return (high - low) / middle
