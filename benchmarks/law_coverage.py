"""How often the 95 % intervals of fitted laws cover the truth: 1,000 seeds a law and noise, 930 to 970 expected.

    python -m benchmarks.law_coverage [--seeds N]

Times are made from each law with known parameters and log-normal noise between launches. Prints a table;
exit status 1 where a coverage lies outside 93 to 97 %.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path as well as by its name

from results.scaling import fits
from results.scaling.fits import AMDAHL, GUSTAFSON, PEAK, USL_STRONG, USL_WEAK, Law
from results.scaling.laws import amdahl, gustafson

ONE_RANK_S = 2.0
FRACTION, CONTENTION, COHERENCY = 0.95, 0.05, 0.004
LAUNCHES = 3
NOISE = (0.01, 0.03)
MOST_RANKS = (8, 16)
LOWEST, HIGHEST = 0.93, 0.97
USL = {"contention": CONTENTION, "coherency": COHERENCY, PEAK: math.sqrt((1 - CONTENTION) / COHERENCY)}
Truth = tuple[Law, Callable[[int], float], dict[str, float]]


def _usl(n: int) -> float:
    return ONE_RANK_S * (1 + CONTENTION * (n - 1) + COHERENCY * n * (n - 1))


TRUTHS: tuple[Truth, ...] = (
    (AMDAHL, lambda n: ONE_RANK_S / amdahl(FRACTION, n), {"p": FRACTION}),
    (GUSTAFSON, lambda n: n * ONE_RANK_S / gustafson(FRACTION, n), {"p": FRACTION}),
    (USL_STRONG, lambda n: _usl(n) / n, USL),
    (USL_WEAK, _usl, USL),
)


def coverage(truth: Truth, most_ranks: int, noise: float, seeds: int) -> dict[str, float]:
    """Share of seeds whose interval covers the truth, by parameter. A peak that is not found is not covered."""
    law, time, parameters = truth
    covered = dict.fromkeys(parameters, 0)
    for seed in range(seeds):
        rng = random.Random(seed)  # noqa: S311  # noise, not secrets
        counts = range(1, most_ranks + 1)
        times = [(n, time(n) * rng.lognormvariate(0.0, noise)) for _ in range(LAUNCHES) for n in counts]
        found = fits.fit(law, times).parameters
        for name, value in parameters.items():
            covered[name] += name in found and found[name].low <= value <= found[name].high
    return {name: count / seeds for name, count in covered.items()}


def _rows(seeds: int) -> Iterator[tuple[str, float]]:
    for truth in TRUTHS:
        for most_ranks in MOST_RANKS:
            for noise in NOISE:
                for name, share in coverage(truth, most_ranks, noise, seeds).items():
                    law = truth[0]
                    yield f"{law.name:10} {law.scaling:7} 1..{most_ranks:<3} noise {noise:<5} {name:15}", share


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage of the fitted laws' 95 % intervals.")
    parser.add_argument("--seeds", type=int, default=1000)
    seeds = parser.parse_args().seeds
    outside = 0
    for label, share in _rows(seeds):
        inside = LOWEST <= share <= HIGHEST
        outside += not inside
        print(f"{label} {share:6.1%}{'' if inside else '  outside'}", flush=True)
    if outside:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
