"""Times contenders side by side: one call of each in turn, so that a slow minute of the machine hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of each repeat."""

    samples_s: tuple[float, ...]

    @property
    def median_s(self) -> float:
        return statistics.median(self.samples_s)

    @property
    def minimum_s(self) -> float:
        return min(self.samples_s)


def interleaved(
    contenders: Mapping[str, Callable[[], object]], repeats: int, most_s: float, least: int = 3
) -> dict[str, Timing]:
    """`repeats` calls of each, after a warm-up call; one that has used `most_s` stops after `least` calls."""
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for call in contenders.values():
        call()
    for _ in range(repeats):
        for name, call in contenders.items():
            if len(samples[name]) >= least and sum(samples[name]) > most_s:
                continue
            start = time.perf_counter()
            call()
            samples[name].append(time.perf_counter() - start)
    return {name: Timing(tuple(values)) for name, values in samples.items()}
