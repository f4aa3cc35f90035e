"""Records of another kind of experiment are read, fitted, compared and shown without a word of the convolution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from results.comparison import sweeps as comparison
from results.records import kinds
from results.records.experiment import RecordedExperiment, Variant, Work
from results.records.measurement import Measured
from results.records.phases import phases_of
from results.records.sweep import RecordedSweep
from results.report import contents, summary, verdict
from results.report.samples import samples_csv
from results.scaling.line import lines
from results.table import markdown
from results.tables.across import compare
from tests.results.conftest import DIGEST
from workload.record import kinds as record_kinds
from workload.record.kinds import CONVOLUTION, RecordKind
from workload.record.run import Run, Workload

WORDS = ("movement", "backend", "scatter-gather", "b =", "images", "gflop", "forward")


class Heat(RecordedExperiment):
    """A made-up program whose parameter `solver` distinguishes its lines, with cells as its size."""

    variant_words = "solver"
    size_key = "cells"
    size_symbol = "n"
    clocks = ("total_s",)
    clocks_note = "Total time is the wall time of the longest rank."
    parallel_fraction = None

    def variant(self, run: Run) -> Variant:
        names = {"solver": f"{run.backend}-solver"}
        return Variant(names, names, f"the {run.backend} solver", run.backend)

    def size(self, run: Run) -> int:
        return 1000 * run.problem.batch

    def problem(self, run: Run) -> tuple[object, ...]:
        return (self.size(run),)

    def family(self, _run: Run) -> tuple[object, ...]:
        return ()

    def division(self, _run: Run) -> tuple[object, ...]:
        return ()

    def work(self, run: Run) -> Work:
        return Work(self.size(run), "cells")

    def operations(self, _run: Run) -> None:
        return None

    def shapes(self, _run: Run) -> Mapping[str, object]:
        return {}

    def settings(self, _run: Run) -> Mapping[str, str]:
        return {"Boundary": "open"}

    def yardstick(self, run: Run) -> str:
        return run.backend

    def is_serial(self, _run: Run) -> bool:
        return False

    def why_uncounted(self, _run: Run) -> str:
        return ""

    def measured(self, record: Mapping[str, Any], _run: Run) -> Measured:
        return phases_of(record)


@pytest.fixture
def heat(make_maker: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., RecordedSweep]:
    """Makes sweeps of it: strong and weak, by two solvers."""
    kind = RecordKind("heat", 1, CONVOLUTION.measurement, Run.from_dict, CONVOLUTION.predicted)
    monkeypatch.setattr(record_kinds, "KINDS", {**record_kinds.KINDS, "heat": kind})
    monkeypatch.setitem(kinds.KINDS, "heat", Heat())

    def made(name: str, **options: Any) -> RecordedSweep:
        maker = make_maker(name, slots=8, **options)
        workload = Workload("heat", DIGEST, "c" * 40, False)
        for solver in ("naive", "simd"):
            maker.add_strong("fixed", counts=(1, 2, 3, 4, 5, 6), backend=solver, workload=workload)
            maker.add_weak("growing", backend=solver, workload=workload)
        found: RecordedSweep = maker.read()
        return found

    return made


def test_its_lines_are_fitted_by_its_own_clock(heat: Callable[..., RecordedSweep]) -> None:
    sweep = heat("hot")
    assert not sweep.problems
    fixed, growing = sweep.series
    assert [line.variant.label for line in lines(fixed)] == ["naive-solver", "simd-solver"]
    assert all("Amdahl" in line.laws for line in lines(fixed))
    point = fixed.points[0]
    assert (point.headline, point.size_text) == ("total_s", f"n = {point.size}")
    assert point.rate == pytest.approx(point.size / point.seconds("total_s"))
    assert growing.scaling == "weak"


def test_its_report_has_its_words_alone(heat: Callable[..., RecordedSweep]) -> None:
    sweep = heat("hot")
    tables = {table.name: table for series in sweep.series for table in contents.of_series(sweep, series)}
    tables |= {table.name: table for found in contents.of_sweep(sweep).values() for table in found}
    strong = tables["strong-fixed"]
    assert strong.columns[:6] == ("Ranks", "Cells", "Solver", "Total time (s)", "Cells/s", "Relative speedup")
    assert any("T1 is the one-rank point of the same solver." in note for note in strong.notes)
    assert "| Boundary | open |" in markdown(tables["environment"])
    for name, table in tables.items():
        if name == "audit":
            continue  # it names the gates that it has, and some of them are the convolution's
        text = markdown(table).lower()
        assert not [word for word in WORDS if word in text], name
    told = " ".join([*verdict.sentences(sweep), *summary.sentences(sweep)]).lower()
    assert "cells/s" in told
    assert not [word for word in WORDS if word in told]
    assert samples_csv([sweep]).startswith("sweep,run_id,series,ranks,cells,solver,launch,")


def test_two_of_its_sweeps_are_compared(heat: Callable[..., RecordedSweep]) -> None:
    first, second = heat("hot"), heat("cold", seed=2)
    found = comparison.of([first], [second])
    assert len(found.pairs) == len(first.points)
    assert compare.table([first], [second], found).columns[:4] == ("Ranks", "Cells", "Solver", "A (s)")
