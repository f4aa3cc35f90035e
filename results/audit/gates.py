"""The vocabulary of an audit: gates and their reasons, grades of evidence, findings.

A gate is a condition that true numbers meet. It flags only what is certain beyond the noise, and does not say why a
number is wrong. sweep.py and convolution.py apply gates to a sweep, paper/ applies them to the paper's tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from results.estimates import INTERVAL, Estimate

NUMBERS = "from the numbers alone"
CODE = "from reading the public code"
REPLAY = "from our replay"

SHARE, SUPERLINEAR, WEAK_FALLS, SERIAL, COVERAGE, MEMORY, OUTSIDE_MPI, LIMIT, AGAINST, CPU, NODES, SUMS = (
    "time below the share of the work",
    "speedup above the rank count",
    "weak-scaling time that falls",
    "negative serial fraction",
    "ranges that do not cover the batch",
    "memory below what input and output need",
    "time outside MPI below the arithmetic's limit",
    "time under the physical limit",
    "T1/TN against Gustafson's law",
    "more CPU time than the threads allow",
    "two ranks on one light node",
    "printed sum unlike its parts",
)
GATES = {
    SHARE: "no rank count may be faster than the one-rank time times the work that is left to each rank",
    SUPERLINEAR: "more speedup than ranks needs a cause in evidence: a one-rank run short of memory, parts that fit a "
    "cache where the whole does not",
    WEAK_FALLS: "with the same work a rank, more ranks cannot take less time",
    SERIAL: "no program has less than no serial part",
    COVERAGE: "the parts of all ranks must add up to the output, each element once",
    MEMORY: "a rank holds at least its input and its output",
    OUTSIDE_MPI: "a rank's arithmetic takes place outside MPI calls",
    LIMIT: "no core computes faster than its widest instructions at its highest clock",
    AGAINST: "Gustafson's law is about scaled speedup, N T1/TN; T1/TN of a weak series is efficiency",
    CPU: "a rank's CPU time is at most its threads times the wall time",
    NODES: "a light node has one core: two ranks on it share it",
    SUMS: "a printed total is the sum of what it adds up",
}
MARGIN = 0.05  # added to an interval, which does not cover differences in clock frequency
LONE_MARGIN = 0.1  # added to a value without an interval
# Two AVX-512 multiply-add units of 16 floats at 6 GHz: faster than any x86-64 core on sale. Operations per second.
CORE_LIMIT = 2 * 16 * 2 * 6e9


@dataclass(frozen=True)
class Finding:
    """A number that cannot be true. `gate` says why not; `evidence` names the runs or tables that show it."""

    gate: str
    where: str
    words: str
    evidence: tuple[str, ...]
    grade: str = NUMBERS


@dataclass(frozen=True)
class Audit:
    """The result: findings, gates that flagged nothing, what could not be tested, and what stays unexplained."""

    subject: str
    findings: tuple[Finding, ...]
    passed: tuple[str, ...]
    untold: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()


def certainly_below(value: Estimate, limit: float) -> bool:
    """True if the value lies below the limit by more than its noise and a margin."""
    margin = MARGIN if value.bounds == INTERVAL else LONE_MARGIN
    return value.high < limit * (1.0 - margin)


def share_of_work(batch: float, ranks: int, one_rank_batch: float) -> float:
    """A rank's work over that of the one-rank run, which t(N) / t(1) cannot fall below."""
    return batch / ranks / one_rank_batch


def least_seconds(flops: float, threads: int = 1) -> float:
    """The least time in which that many floating-point operations can be done."""
    return flops / (CORE_LIMIT * threads)
