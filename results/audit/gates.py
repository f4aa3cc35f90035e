"""The vocabulary of an audit: gates and their reasons, grades of evidence, findings.

A gate is a condition that true numbers meet. It flags only what is certain beyond the noise, and does not say why a
number is wrong. sweep.py applies all gates to a sweep, one file per family has them; paper/ applies them to the paper's
tables, table.py to any table of times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from results.estimates import INTERVAL, Estimate
from results.formats import plural
from results.records.launch import RecordedLaunch
from results.records.point import RecordedPoint

NUMBERS = "from the numbers alone"
CODE = "from reading the public code"
REPLAY = "from our replay"
CANNOT_BE, SUSPICIOUS, EXPLAINS = "cannot be", "suspicious", "explains"

# What follows from the laws of scaling and from arithmetic
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
# What the parts of one record say of each other
PARTS, CHECK, FORWARD, SECTIONS, SUM, LENGTH, CLOCKS, WALL, BYTES, PREDICTION, RATE = (
    "a damaged or missing part",
    "an answer that was not checked in full",
    "a forward time below its parts",
    "a total unlike its sections",
    "a time unlike its parts",
    "ranks that disagree on the length of a repeat",
    "clocks that disagree",
    "repeats longer than their run",
    "bytes moved unlike the predicted ones",
    "memory unlike its prediction",
    "a convolution faster than its core",
)
# What the records of a sweep and its ledger say of each other
LEDGER, AGAIN, LEFT_OUT, ORDER, COPIES, FUTURE, ELSEWHERE, BASELINE = (
    "a record unlike the ledger",
    "a run that was done again after it was ok",
    "runs that were left out",
    "runs out of order or at the same time",
    "the same measurement twice",
    "a date that cannot be",
    "a run from another machine or code",
    "a baseline from elsewhere",
)
GATES = {
    SHARE: "no rank count may be faster than the one-rank time times the work that is left to each rank",
    SUPERLINEAR: "more speedup than ranks needs a cause in evidence: a one-rank run short of memory, parts that fit a "
    "cache where the whole does not",
    WEAK_FALLS: "with the same work a rank, more ranks cannot take less time",
    SERIAL: "no program has less than no serial part",
    COVERAGE: "the parts of all ranks must add up to the output, each element once",
    MEMORY: "a rank holds at least its input and its output",
    OUTSIDE_MPI: "a rank's arithmetic takes place outside MPI calls, and so does its waiting for a GPU",
    LIMIT: "no core computes faster than its widest instructions at its highest clock, and no GPU faster than all its "
    "units",
    AGAINST: "Gustafson's law is about scaled speedup, N T1/TN; T1/TN of a weak series is efficiency",
    CPU: "a rank's CPU time is at most its threads times the wall time",
    NODES: "a light node has one core: two ranks on it share it",
    SUMS: "a printed total is the sum of what it adds up",
    PARTS: "a record has every repeat, and every rank in each of its lists; a sweep has ledger, study and inventory",
    CHECK: "a run is ok only if every row of the output was checked after every repeat, and was right",
    FORWARD: "distribute, convolve and collect lie inside the forward section",
    SECTIONS: "a repeat is its load, its forward section and its save, and little between them",
    SUM: "a rank's time is its phases and its waiting, and each clock of a repeat is the longest of its ranks",
    LENGTH: "all ranks begin a repeat at one barrier and end it after another",
    CLOCKS: "MPI's clock and the system's measure the same seconds",
    WALL: "the repeats of a run take place within the run",
    BYTES: "what the ranks sent and received follows from what was computed and how it was cut alone",
    PREDICTION: "what a rank's arrays take is known beforehand",
    RATE: "the yardstick is the same code on the same core, from its cache: no run beats it by half, nor what a probe "
    "measured of a GPU and its link",
    LEDGER: "a record has its start and its end in the ledger, with the same outcome, number and length",
    AGAIN: "a run that ended ok is not done again: choosing among its times is no measurement",
    LEFT_OUT: "what the ledger says has ended left a record, and a finished sweep has a record of every launch",
    ORDER: "a sweep carries out one run after another, each with a number of its own",
    COPIES: "no two repeats take the same nanoseconds in every part",
    FUTURE: "nothing was measured after today, and nothing ended before it began",
    ELSEWHERE: "machine, MPI and code of a sweep are those that its ledger names",
    BASELINE: "a speedup is between two times of the same machine",
}
MARGIN = 0.05  # added to an interval, which does not cover differences in clock frequency
LONE_MARGIN = 0.1  # added to a value without an interval
# Two AVX-512 multiply-add units of 16 floats at 6 GHz: faster than any x86-64 core on sale. Operations per second.
CORE_LIMIT = 2 * 16 * 2 * 6e9
# 256 multiprocessors of 128 multiply-adds at 4 GHz: more than any GPU on sale has of each. Operations per second.
GPU_LIMIT = 256 * 128 * 2 * 4e9


@dataclass(frozen=True)
class Finding:
    """A number that cannot be true, or that is suspicious unless `certain`.

    `gate` says why; `evidence` names the runs or tables that show it.
    """

    gate: str
    where: str
    words: str
    evidence: tuple[str, ...]
    grade: str = NUMBERS
    certain: bool = True

    @property
    def verdict(self) -> str:
        """How much it says: what was read in the code or seen in a replay explains numbers, and is none itself."""
        if self.grade != NUMBERS:
            return EXPLAINS
        return CANNOT_BE if self.certain else SUSPICIOUS


@dataclass(frozen=True)
class Case:
    """One thing that a gate tested: the runs or tables that show it, and what is wrong with it, empty if nothing is."""

    where: str
    evidence: tuple[str, ...]
    words: str = ""
    certain: bool = True


@dataclass(frozen=True)
class Count:
    """How many cases a gate tested, and how many of them it flagged."""

    cases: int
    flagged: int


@dataclass(frozen=True)
class Audit:
    """The result: findings, how many cases each gate tested, what could not be tested, and what stays unexplained."""

    subject: str
    findings: tuple[Finding, ...]
    tested: Mapping[str, Count]
    untold: tuple[str, ...] = ()
    unexplained: tuple[str, ...] = ()

    @property
    def passed(self) -> tuple[str, ...]:
        """The gates that tested something and flagged nothing."""
        return tuple(gate for gate, count in self.tested.items() if count.cases and not count.flagged)

    @property
    def idle(self) -> tuple[str, ...]:
        """The gates that had nothing to test."""
        return tuple(gate for gate, count in self.tested.items() if not count.cases)

    @property
    def cases(self) -> int:
        return sum(count.cases for count in self.tested.values())

    @property
    def certain(self) -> tuple[Finding, ...]:
        """The findings that say what cannot be."""
        return tuple(finding for finding in self.findings if finding.verdict == CANNOT_BE)


def count(cases: Iterable[Case]) -> Count:
    found = list(cases)
    return Count(len(found), sum(bool(case.words) for case in found))


def findings(gate: str, cases: Iterable[Case]) -> list[Finding]:
    """One finding for all flagged cases of a place: the words of the first, and how many more there are."""
    places: dict[tuple[str, bool], list[Case]] = {}
    for case in cases:
        if case.words:
            places.setdefault((case.where, case.certain), []).append(case)
    return [_joined(gate, flagged) for flagged in places.values()]


def _joined(gate: str, flagged: list[Case]) -> Finding:
    first, more = flagged[0], len(flagged) - 1
    words = first.words + (f"; and {more} more" if more else "")
    evidence = tuple(dict.fromkeys(name for case in flagged for name in case.evidence))
    return Finding(gate, first.where, words, evidence, certain=first.certain)


def place(launch: RecordedLaunch) -> str:
    """Where a launch stands: its variant, ranks and size."""
    point = RecordedPoint((launch,))
    return f"{point.variant.label}, {plural(launch.run.ranks, 'rank')}, {point.size_text}"


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


def least_gpu_seconds(flops: float) -> float:
    """The same on one GPU."""
    return flops / GPU_LIMIT
