"""What results need to know of a kind of experiment, so that no table or law has to know which one was run.

A run's *variant* is what tells the lines of one series apart; its *size* is what weak scaling grows; its *work* is what
a rate is formed of. results/records/kinds.py names the kinds there are. Nothing here plans or starts a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from workload.record.run import Run


@dataclass(frozen=True)
class Variant:
    """What tells a run from others of the same series, size and ranks.

    `names` and `detailed` are its parts by the keys of their columns, without and with their options; `phrase` is for
    sentences. `key` is the same for all points of one line and for no others.
    """

    names: Mapping[str, str]
    detailed: Mapping[str, str]
    phrase: str
    key: str

    @property
    def label(self) -> str:
        return ", ".join(self.names.values())

    @property
    def full_label(self) -> str:
        """With options."""
        return ", ".join(self.detailed.values())


@dataclass(frozen=True)
class Work:
    """What one run does, in units that a reader counts: 80 images."""

    amount: float
    unit: str


class RecordedExperiment(Protocol):
    """One kind of experiment. A run's `problem` and `family` can be compared and sorted."""

    variant_words: str  # what a variant is made of, in a sentence
    size_key: str
    size_symbol: str
    headline: str  # the clock of speedups, laws and rates: an attribute of Repeat
    parallel_fraction: float | None  # assumed beforehand, for ideal curves

    def variant(self, run: Run) -> Variant: ...

    def size(self, run: Run) -> int: ...

    def problem(self, run: Run) -> tuple[object, ...]:
        """The same for runs that compute the same."""
        ...

    def family(self, run: Run) -> tuple[object, ...]:
        """The same for runs whose problems differ in size alone."""
        ...

    def division(self, run: Run) -> tuple[object, ...]:
        """How the problem is divided among the ranks; empty where that follows from their number."""
        ...

    def work(self, run: Run) -> Work: ...

    def operations(self, run: Run) -> int | None:
        """Floating-point operations; None where they are not known."""
        ...

    def shapes(self, run: Run) -> Mapping[str, object]:
        """Further facts of the problem for tables, by the key of their column."""
        ...

    def yardstick(self, run: Run) -> str:
        """Runs with the same one time the speed of their cores by the same code."""
        ...

    def is_serial(self, run: Run) -> bool:
        """Whether it is a baseline without MPI, which belongs to no line."""
        ...

    def why_uncounted(self, run: Run) -> str:
        """Why it enters no speedup, law or gate, even where it is ok; empty where it does."""
        ...
