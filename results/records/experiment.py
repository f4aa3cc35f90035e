"""What results need to know of a kind of experiment, so that tables and laws work for every kind.

A run's *variant* distinguishes the lines of one series, its *size* is what weak scaling grows, and its *work* is what
rates count. The kinds are listed in kinds.py. Nothing here plans or starts a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from results.estimates import Estimate
from results.records.measurement import PARTS, Measured


@dataclass(frozen=True)
class Variant:
    """What distinguishes a run from others of the same series, size and rank count.

    `names` has its parts by column key, `detailed` the same with options, `phrase` the wording for sentences.
    `key` is the same for all points of a line, and different for other points.
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
        """The label with options."""
        return ", ".join(self.detailed.values())


@dataclass(frozen=True)
class Work:
    """What one run does, in a unit that readers count, for example 80 images."""

    amount: float
    unit: str


class RecordedExperiment(Protocol):
    """A kind of experiment; every `run` is of its own class. `problem` and `family` can be compared and sorted."""

    variant_words: str  # the parts of a variant, for sentences
    size_key: str
    size_symbol: str
    clocks: tuple[str, ...]  # attributes of Repeat in seconds, the headline of speedups, laws and rates first
    parallel_fraction: float | None  # assumed before measuring, for ideal curves
    parts: tuple[str, ...] = PARTS  # what a rank's time is made of
    peak_since: str = " from just before the timed repeats"  # when the resident peak of a rank was last reset
    part_words: Mapping[str, str] = {}  # what a part is, for sentences
    probed: bool = True  # whether a cluster's probe foretells its times
    own_software: tuple[str, ...] = ()  # of what is known of a node: what the runs bring in place of ours
    headline_is_rate: bool = False  # more is better: it is the work per second itself
    smallest_baseline: bool = False  # speedups stand against the smallest rank count, not against one rank alone

    @property
    def clocks_note(self) -> str:
        """What the clocks cover, in a sentence."""
        ...

    @property
    def headline(self) -> str:
        return self.clocks[0]

    @property
    def headline_word(self) -> str:
        """The headline's name in tables and sentences."""
        return self.headline.removesuffix("_s")

    @property
    def headline_phrase(self) -> str:
        """The headline in a sentence."""
        return f"{self.headline_word} time"

    @property
    def headline_unit(self) -> str:
        """What follows a value of it."""
        return " s"

    def clock_word(self, clock: str) -> str:
        """The name of one of its clocks."""
        return self.headline_word if clock == self.headline else clock.removesuffix("_s")

    @property
    def headline_header(self) -> str:
        """The header of its column in tables."""
        return f"{self.headline_word.capitalize()} time (s)"

    @property
    def headline_key(self) -> tuple[str, str]:
        """Its key in files of values, and the unit at that key's end."""
        return (self.headline_word, "_s")

    def measured(self, record: Mapping[str, Any], run: Any) -> Measured:
        """What was measured. Raises KeyError, TypeError, ValueError, SchemaError for what cannot be read."""
        ...

    def seen(self, _run: Any) -> RecordedExperiment:
        """The experiment as one run has it, where its headline differs from run to run."""
        return self

    def told(self, time: Estimate | None, _work: Work) -> Estimate | None:
        """What tables show of a headline time: the time itself, or the rate that it was made of."""
        return time

    def title(self, run: Any) -> str:
        """What is run, without its size: for headings."""
        return str(run.workload.kind)

    def rate_unit(self, run: Any) -> str:
        """What follows a rate: work per second, or the headline's unit where that is the rate."""
        return f" {self.work(run).unit}/s"

    def rated(self, _run: Any) -> bool:
        """Whether work per second tells readers something, and can be compared between sizes."""
        return True

    def size_cell(self, run: Any) -> object:
        """The size as tables have it."""
        return self.size(run)

    def size_text(self, run: Any) -> str:
        """The size in a sentence."""
        return f"{self.size_symbol} = {self.size(run)}"

    def lineage(self, _run: Any) -> str:
        """Equal for runs whose times one law may follow, in whatever sweep; empty where no law foretells any."""
        return ""

    def variant(self, run: Any) -> Variant: ...

    def size(self, run: Any) -> int: ...

    def problem(self, run: Any) -> tuple[object, ...]:
        """Equal for runs that compute the same."""
        ...

    def family(self, run: Any) -> tuple[object, ...]:
        """Equal for runs whose problems differ in size alone."""
        ...

    def division(self, run: Any) -> tuple[object, ...]:
        """How the problem is divided among the ranks; empty if that follows from their number."""
        ...

    def work(self, run: Any) -> Work: ...

    def operations(self, run: Any) -> int | None:
        """Number of floating-point operations; None if unknown."""
        ...

    def shapes(self, run: Any) -> Mapping[str, object]:
        """Further facts about the problem for tables, by column key."""
        ...

    def settings(self, run: Any) -> Mapping[str, str]:
        """Further settings of the run for the table of the environment, by their wording there."""
        ...

    def yardstick(self, run: Any) -> str:
        """The name of the code by which the speed of cores is timed; speeds by different code cannot be compared."""
        ...

    def serial_code(self, run: Any) -> str:
        """The code of the serial run that absolute speedups stand against, as `yardstick` names it."""
        return self.yardstick(run)

    def is_serial(self, run: Any) -> bool:
        """Whether the run is a baseline without MPI, which belongs to no line."""
        ...

    def why_uncounted(self, run: Any) -> str:
        """Why the run enters no speedup, law or gate even if it is ok; empty if it does."""
        ...
