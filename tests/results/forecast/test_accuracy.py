"""Forecasts in the ledger, and what counts as one."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from results.forecast import accuracy
from results.forecast.convolution.model import ForecastCase, forecast
from results.forecast.residuals import Band
from results.records.sweep import RecordedSweep, read_sweep
from results.report.summary import sentences
from results.tables.sweep import accuracy as tables
from tests.results.conftest import SMALL
from tests.results.forecast.convolution.test_model import machine
from workload.domain.grid import Grid
from workload.record.run import Run
from workload.record.schema import SCHEMA_VERSION

BAND = Band(
    count=6, sweeps=3, level=0.0, slope=0.0, centre=1.0, between=0.002, within=0.0, slope_variance=0.001, half=2.0
)
PROBE = machine(4, cluster="c", measured_utc="2026-01-01")


def case(ranks: int, movement: str = "scatter-gather", backend: str = "naive") -> ForecastCase:
    return ForecastCase(SMALL, Grid(batch=ranks), movement, backend, ranks)


def law(run: Run) -> float:
    return 1.25 * forecast(case(run.ranks), PROBE).forward_s


def event(name: str, **values: Any) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "event": name, "utc": "2026-01-02T00:00:00+00:00", **values}


def swept(
    maker: Any, *after: dict[str, Any], band: Band | None = None, before: Any = (), noise: float = 1e-6
) -> RecordedSweep:
    """A sweep whose ledger has `before`, a forecast of each of its runs, then `after`."""
    maker.noise = noise
    maker.add_strong(counts=(1, 2, 4), law=law, backend="naive")
    folder = maker.finish()
    cases = {launch.run_id: case(launch.run.ranks) for launch in read_sweep(folder).launches}
    told = event("forecast", **accuracy.document(cases, PROBE, band))
    lines = [json.dumps(line) for line in (*before, told, *after)]
    (folder / "ledger.jsonl").write_text("\n".join(lines) + "\n")
    return read_sweep(folder)


def first_run(maker: Any) -> str:
    return str(maker.run(ranks=1, backend="naive").run_id)


def test_a_forecast_written_before_the_runs_counts(maker: Any) -> None:
    rows = accuracy.of_sweep(swept(maker, event("started", run_id=first_run(maker)), band=BAND))
    assert [row.point.run.ranks for row in rows] == [1, 2, 4]
    for row in rows:
        assert row.error == pytest.approx(-0.2, abs=1e-4)
        assert row.log_ratio == pytest.approx(math.log(1.25), abs=1e-4)
        assert row.inside is False
    assert rows[0].interval_s == pytest.approx([rows[0].forecast_s * factor for factor in BAND.at(1)])


@pytest.mark.parametrize("how", ["started", "adopted"])
def test_a_forecast_written_after_a_run_began_does_not_count_for_its_point(maker: Any, how: str) -> None:
    rows = accuracy.of_sweep(swept(maker, before=[event(how, run_id=first_run(maker))]))
    assert [row.point.run.ranks for row in rows] == [2, 4]


@pytest.mark.parametrize(("probed", "told"), [(1.05e9, False), (0.6e9, True), (1.7e9, True), (None, False)])
def test_cores_of_another_speed_than_when_probed_are_told(maker: Any, probed: float | None, told: bool) -> None:
    sweep = swept(maker)
    path = sweep.folder / "ledger.jsonl"
    line = json.loads(path.read_text())
    line["probe"]["yardstick_flops_per_s"] = {} if probed is None else {"naive": probed, "simd": probed}
    path.write_text(json.dumps(line) + "\n")
    found = [note for (table,) in [tables.tables(read_sweep(sweep.folder))] for note in table.notes]
    assert any("GFLOP in a CPU second" in note for note in found) is told


def test_a_second_forecast_cannot_mend_the_first_of_a_run_that_has_started(maker: Any) -> None:
    run_id = first_run(maker)
    better = event("forecast", forecasts={run_id: {"forward_s": 123.0, "interval_s": None}})
    rows = accuracy.of_sweep(swept(maker, event("started", run_id=run_id), better))
    assert rows[0].forecast_s == pytest.approx(forecast(case(1), PROBE).forward_s)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "x",
        {},
        {"forward_s": 0.0},
        {"forward_s": -1.0},
        {"forward_s": "1"},
        {"forward_s": True},
        {"forward_s": 1e999},
    ],
)
def test_an_entry_that_is_no_forecast_is_left_out(maker: Any, entry: object) -> None:
    damaged = event("forecast", forecasts={first_run(maker): entry})
    sweep = swept(maker)
    sweep = read_sweep(_appended(sweep, damaged, clear=True))
    assert accuracy.of_sweep(sweep) == []


@pytest.mark.parametrize("interval", [None, 5, [], [1.0], [0.0, 1.0], ["a", "b"], [1.0, 2.0, 3.0]])
def test_an_interval_that_is_none_is_left_out_and_the_forecast_kept(maker: Any, interval: object) -> None:
    entries = {run_id: {"forward_s": 1.0, "interval_s": interval} for run_id in _run_ids(maker)}
    sweep = swept(maker, event("forecast", forecasts=entries))
    assert [(row.forecast_s, row.interval_s, row.inside) for row in accuracy.of_sweep(sweep)] == [(1.0, None, None)] * 3


@pytest.mark.parametrize("damage", [{"forecasts": 5}, {"forecasts": ["x"]}, {"run_id": ["a"]}, {"run_id": {}}])
def test_a_damaged_ledger_breaks_nothing(maker: Any, damage: dict[str, Any]) -> None:
    before = [event("started", **damage), event("forecast", **damage)]
    assert len(accuracy.of_sweep(swept(maker, before=before))) == 3


def test_without_a_forecast_there_is_no_table_and_no_sentence(maker: Any) -> None:
    maker.add_strong()
    sweep = maker.read()
    assert accuracy.of_sweep(sweep) == []
    assert tables.tables(sweep) == []
    assert not any("Forecast" in line for line in sentences(sweep))


def test_the_report_shows_forecast_beside_measured_with_its_error(maker: Any) -> None:
    sweep = swept(maker, band=BAND)
    (table,) = tables.tables(sweep)
    assert [record["error"] for record in table.records] == [pytest.approx(-0.2, abs=1e-4)] * 3
    known = {launch.run_id for launch in sweep.launches}
    assert all(set(str(record["run_ids"]).split()) <= known for record in table.records)
    assert [record["inside"] for record in table.records] == ["no"] * 3
    told = " ".join(table.notes)
    assert "at 2026-01-02T00:00:00+00:00, before the first run" in told
    assert "median error 20%, worst 20%" in told
    assert "by movement" not in told, "there is one"
    assert "0 of 3 measured times lie in the interval" in told
    assert any("Forecast of 3 points against measured: median error 20%" in line for line in sentences(sweep))
    (bare,) = tables.tables(swept(maker))
    assert any(note.startswith("No interval:") for note in bare.notes)


def test_of_several_movements_the_error_of_each_is_told(maker: Any) -> None:
    maker.add_strong(counts=(1, 2), backend="naive", movement="shared", law=lambda _: 2.0)
    swept(maker)
    entries = {launch.run_id: {"forward_s": 1.0} for launch in read_sweep(maker.folder).launches}
    (table,) = tables.tables(read_sweep(_appended(maker.read(), event("forecast", forecasts=entries), clear=True)))
    (told,) = [note for note in table.notes if note.startswith("Median error by movement: ")]
    assert "scatter-gather " in told
    assert told.endswith("shared 50%.")


def test_what_cannot_be_forecast_is_named_in_the_event() -> None:
    cases = {"a" * 16: case(1), "b" * 16: case(1, backend="numpy"), "c" * 16: case(1, movement="replica")}
    found = accuracy.document(cases, PROBE, None)
    assert list(found["forecasts"]) == ["a" * 16]
    assert "no rate of backend numpy" in found["left_out"]["b" * 16]
    assert "replica is wrong on purpose" in found["left_out"]["c" * 16]
    assert accuracy.seconds(found, "a" * 16) == pytest.approx(forecast(case(1), PROBE).forward_s)
    assert accuracy.seconds(found, "b" * 16) is None
    assert accuracy.seconds(None, "a" * 16) is None


def _run_ids(maker: Any) -> list[str]:
    return [maker.run(ranks=ranks, launch=launch, backend="naive").run_id for ranks in (1, 2, 4) for launch in range(3)]


def _appended(sweep: RecordedSweep, line: dict[str, Any], *, clear: bool) -> Any:
    path = sweep.folder / "ledger.jsonl"
    old = "" if clear else path.read_text()
    path.write_text(old + json.dumps(line) + "\n")
    return sweep.folder
