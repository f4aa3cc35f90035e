"""The progress of a sweep: a bar on a terminal, one plain line for each run elsewhere."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from orchestration.experiments.experiment import Experiment
from orchestration.planning.plan import PlannedRun
from workload.record.outcomes import OK

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Now = Callable[[], float]


def describe(planned: PlannedRun) -> str:
    """A run in a few words."""
    run = planned.run
    ranks = "1 rank" if run.ranks == 1 else f"{run.ranks} ranks"
    series = "+".join(planned.series)
    return f"{series}: {ranks}, {planned.label}, launch {run.launch + 1}"


def result(record: Mapping[str, Any], experiment: Experiment) -> str:
    """How a run ended, in a few words: its time by the headline clock, or outcome and reason."""
    if record["outcome"] == OK:
        return f"ok, {experiment.told(record)}"
    return f"{record['outcome']}: {record['reason']}"


class TimeLeft:
    """Estimates the seconds left from finished runs: those of the same point, or the mean of all."""

    def __init__(self) -> None:
        self._all: list[float] = []
        self._points: dict[object, list[float]] = defaultdict(list)

    def add(self, planned: PlannedRun, seconds: float) -> None:
        self._all.append(seconds)
        self._points[planned.point].append(seconds)

    def left_s(self, waiting: Sequence[PlannedRun]) -> float | None:
        """None before the first run is done."""
        if not self._all:
            return None
        mean = sum(self._all) / len(self._all)
        return sum(_mean(self._points[item.point], mean) for item in waiting)


def _mean(times: Sequence[float], otherwise: float) -> float:
    return sum(times) / len(times) if times else otherwise


class Progress(ABC):
    """Follows a sweep; `now` gives monotonic seconds."""

    def __init__(self, now: Now = time.monotonic) -> None:
        self._now = now
        self._estimate = TimeLeft()
        self._waiting: list[PlannedRun] = []
        self._total = 0
        self._worst = ""
        self._begun = 0.0

    @contextmanager
    def shown(self, pending: Sequence[PlannedRun], experiment: Experiment) -> Iterator[None]:
        """Shows the progress of the experiment's runs while inside."""
        self._waiting, self._total = list(pending), len(pending)
        self._experiment = experiment
        yield

    def expected_s(self, *runs: PlannedRun) -> float | None:
        """Seconds that the runs will take, by those that are done; None before the first."""
        return self._estimate.left_s(runs)

    def begin(self, planned: PlannedRun) -> None:
        """A run starts."""
        self._begun = self._now()
        self.at_work(planned)

    def end(self, planned: PlannedRun, record: Mapping[str, Any]) -> None:
        """It is recorded."""
        if record["started_utc"] is not None:  # a run that was skipped took no time, and says nothing of the others
            self._estimate.add(planned, self._now() - self._begun)
        self._waiting.remove(planned)
        self.done(planned, record)

    def looked(self, told: str, worst: str, further: Sequence[PlannedRun]) -> None:
        """The points were judged, as a line and the worst of them in a word say, and these runs are added."""
        self._waiting += further
        self._total += len(further)
        self._worst = worst
        self.judged(told)

    @property
    def _left(self) -> str:
        seconds = self._estimate.left_s(self._waiting)
        left = "" if seconds is None else f"{seconds:.0f} s left"
        return ", ".join(filter(None, [left, self._worst]))

    @abstractmethod
    def at_work(self, planned: PlannedRun) -> None: ...

    @abstractmethod
    def done(self, planned: PlannedRun, record: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def judged(self, told: str) -> None: ...


class Lines(Progress):
    """One plain line a run that is over."""

    def __init__(self, out: TextIO, now: Now = time.monotonic) -> None:
        super().__init__(now)
        self._out = out

    def at_work(self, planned: PlannedRun) -> None:
        pass

    def done(self, planned: PlannedRun, record: Mapping[str, Any]) -> None:
        number = self._total - len(self._waiting)
        left = f" ({self._left})" if self._waiting and self._left else ""
        print(
            f"[{number}/{self._total}] {describe(planned)}: {result(record, self._experiment)}{left}",
            file=self._out,
            flush=True,
        )

    def judged(self, told: str) -> None:
        print(told, file=self._out, flush=True)


class Terminal(Progress):
    """A bar: runs done, the run at work, time left; what is not ok stays above it."""

    _bar: Bar

    @contextmanager
    def shown(self, pending: Sequence[PlannedRun], experiment: Experiment) -> Iterator[None]:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar
        from rich.table import Column

        whole, cut = Column(no_wrap=True, min_width=10), Column(no_wrap=True, overflow="ellipsis")
        columns = (
            BarColumn(bar_width=16),
            MofNCompleteColumn(table_column=Column(no_wrap=True, min_width=5)),
            TextColumn("{task.fields[left]}", table_column=whole),
            TextColumn("{task.description}", table_column=cut),
        )
        # twice a second: the bar runs on the machine that is being measured
        self._bar = Bar(*columns, refresh_per_second=2, transient=True)
        with super().shown(pending, experiment), self._bar:
            self._task = self._bar.add_task("", total=len(pending), left="")
            yield

    def at_work(self, planned: PlannedRun) -> None:
        from rich.markup import escape

        self._bar.update(self._task, description=escape(describe(planned)), left=self._left)

    def done(self, planned: PlannedRun, record: Mapping[str, Any]) -> None:
        from rich.markup import escape

        self._bar.advance(self._task)
        if record["outcome"] != OK:
            self._bar.console.print(escape(f"{describe(planned)}: {result(record, self._experiment)}"), soft_wrap=True)

    def judged(self, told: str) -> None:
        from rich.markup import escape

        self._bar.update(self._task, total=self._total, left=self._left)
        self._bar.console.print(escape(told), soft_wrap=True)
