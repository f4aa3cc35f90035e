"""How often the 95 % intervals of fitted laws cover the truth: 1,000 seeds a law and noise, 930 to 970 expected.

    python -m benchmarks.law_coverage [--seeds N]

Times are made from each law with known parameters and log-normal noise between launches. Prints a table with the median
width over that of an oracle that knows the noise. Of 1,000 seeds a right interval lies outside 93 to 97 % now and then:
such a row is drawn again with ten times as many. Exit status 1 where a coverage then lies outside, or a width above 1.3
times the oracle's with 5 launches or more.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path as well as by its name

from benchmarks.common import oracle
from results.scaling import fits
from results.scaling.fits import AMDAHL, GUSTAFSON, USL_STRONG, USL_WEAK, Law
from results.scaling.laws import amdahl, gustafson

SERIAL = "serial fraction"  # 1 - p: covered where that is
ONE_RANK_S = 2.0
FRACTION, CONTENTION, COHERENCY = 0.95, 0.05, 0.004
LAUNCHES = (3, 5, 10)
NOISE = (0.01, 0.03)
MOST_RANKS = (8, 16)
LOWEST, HIGHEST = 0.93, 0.97
AGAIN = 10  # times the seeds
WIDEST, ENOUGH = 1.3, 5  # times the oracle's width, from so many launches on
USL = (ONE_RANK_S, ONE_RANK_S * CONTENTION, ONE_RANK_S * COHERENCY)
Truth = tuple[Law, Callable[[int], float], Sequence[float]]  # the last: coefficients of the law's terms


def _usl(n: int) -> float:
    return ONE_RANK_S * (1 + CONTENTION * (n - 1) + COHERENCY * n * (n - 1))


TRUTHS: tuple[Truth, ...] = (
    (AMDAHL, lambda n: ONE_RANK_S / amdahl(FRACTION, n), (ONE_RANK_S * (1 - FRACTION), ONE_RANK_S * FRACTION)),
    (
        GUSTAFSON,
        lambda n: n * ONE_RANK_S / gustafson(FRACTION, n),
        (FRACTION / ONE_RANK_S, (1 - FRACTION) / ONE_RANK_S),
    ),
    (USL_STRONG, lambda n: _usl(n) / n, USL),
    (USL_WEAK, _usl, USL),
)


@dataclass(frozen=True)
class ParameterCoverage:
    """The share of seeds whose interval covers the truth, and the median width over the oracle's."""

    covered: float
    width: float

    @property
    def outside(self) -> bool:
        """Whether the coverage is not what is expected."""
        return not LOWEST <= self.covered <= HIGHEST


def coverage(truth: Truth, most_ranks: int, noise: float, launches: int, seeds: int) -> dict[str, ParameterCoverage]:
    """By parameter. A peak that is not found is not covered, and has no bounds."""
    law, time, coefficients = truth
    counts = range(1, most_ranks + 1)
    best = oracle.of_law(law, coefficients, dict.fromkeys(counts, noise / math.sqrt(launches)))
    best.pop(SERIAL, None)
    given: dict[str, list[tuple[float, float]]] = {name: [] for name in best}
    for seed in range(seeds):
        rng = random.Random(seed)  # noqa: S311  # noise, not secrets
        times = [(n, time(n) * rng.lognormvariate(0.0, noise)) for _ in range(launches) for n in counts]
        found = fits.fit(law, times).parameters
        for name, intervals in given.items():
            intervals.append((found[name].low, found[name].high) if name in found else (math.inf, math.inf))
    return {
        name: ParameterCoverage(
            sum(low <= exact.value <= high for low, high in given[name]) / seeds,
            statistics.median(math.inf if math.isinf(high) else high - low for low, high in given[name])
            / (exact.high - exact.low),
        )
        for name, exact in best.items()
    }


def _rows(seeds: int) -> Iterator[tuple[str, ParameterCoverage, int]]:
    for truth in TRUTHS:
        for most_ranks, noise, launches in itertools.product(MOST_RANKS, NOISE, LAUNCHES):
            found = coverage(truth, most_ranks, noise, launches, seeds)
            if any(each.outside for each in found.values()):
                found = coverage(truth, most_ranks, noise, launches, AGAIN * seeds)
            for name, each in found.items():
                label = f"{truth[0].name:10} {truth[0].scaling:7} 1..{most_ranks:<3} noise {noise:<5}"
                yield f"{label} {launches:2} launches  {name:15}", each, launches


def main() -> None:
    parser = argparse.ArgumentParser(description="Coverage and width of the fitted laws' 95 % intervals.")
    parser.add_argument("--seeds", type=int, default=1000)
    seeds, faults = parser.parse_args().seeds, 0
    for label, found, launches in _rows(seeds):
        wide = launches >= ENOUGH and found.width > WIDEST
        faults += found.outside or wide
        told = ", ".join(["outside"] * found.outside + ["wide"] * wide)
        print(f"{label} {found.covered:6.1%}, width {found.width:5.2f}  {told}".rstrip(), flush=True)
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
