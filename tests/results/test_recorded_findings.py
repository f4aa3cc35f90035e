"""What the recorded 16-core sweeps carry, in numbers and in the words of the report."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from results.records.sweep import RecordedSweep, read_sweep
from results.report import summary, verdict
from results.scaling.fits import AMDAHL, fit
from results.scaling.line import Line, lines
from results.scaling.losses import ROOT_WAIT, WAIT, Losses, losses
from results.tables.series import laws

MEASURED = Path(__file__).parents[2] / "results" / "measured" / "16-core"


@cache
def sweep(name: str) -> RecordedSweep:
    return read_sweep(MEASURED / name)


def line(name: str, series: str, movement: str) -> Line:
    found = [each for item in sweep(name).series if item.name == series for each in lines(item)]
    return next(each for each in found if each.variant.names["movement"] == movement)


def losses_at_16(name: str, series: str, movement: str) -> Losses:
    of = line(name, series, movement)
    found = losses(of, next(point for point in of.points if point.run.ranks == 16))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "series", "movement", "collect", "wait"),
    [
        ("paper-simd", "fat-strong", "scatter-gather", 0.48, 0.18),
        ("paper-simd", "fat-weak", "scatter-gather", 0.47, 0.19),
        ("movements", "movements", "tree", 0.45, 0.35),
    ],
)
def test_the_shares_are_of_the_forward_time(name: str, series: str, movement: str, collect: float, wait: float) -> None:
    found = losses_at_16(name, series, movement)
    assert found.share("collect").value == pytest.approx(collect, abs=0.015)
    assert found.share(WAIT, ROOT_WAIT).value == pytest.approx(wait, abs=0.015)
    assert sum(found.share(part).value for part in found.parts) <= 1.0


def test_convolve_not_waiting_stops_distributed_data() -> None:
    found = losses_at_16("movements", "movements", "distributed")
    assert found.share("convolve").value == pytest.approx(0.42, abs=0.015)
    assert found.share("convolve").value > found.share(WAIT, ROOT_WAIT).value


def test_the_roots_copying_is_named_with_bytes_rate_and_the_alternatives() -> None:
    (told,) = (line for line in verdict.sentences(sweep("movements")) if "scaling, scatter-gather with simd" in line)
    assert "What stops it most at 16 ranks is the root's copying: 93% (91% to 94%) of the ranks' time" in told
    assert "(collect 47%, distribute 29%, waiting for the root 16%)" in told
    assert "466 MB (in 0.0825 s, 5.64 GB/s) of input leave the root" in told
    assert "shared 0.0109 s and distributed 0.0136 s, against 0.170 s here" in told


def test_no_share_of_a_range_carries_a_verdict() -> None:
    for name in ("paper-simd", "paper-naive", "movements", "movements-forecast"):
        told = " ".join(verdict.sentences(sweep(name)))
        assert "Efficiency is at least" not in told
        assert "(122%" not in told
        assert "of cases" not in told, "no resolution without an interval"


def test_the_smallest_count_that_cannot_be_told_from_the_best_is_named() -> None:
    (told,) = (line for line in verdict.sentences(sweep("paper-simd")) if line.startswith("Weak"))
    assert "256 images/s at 16 ranks; 2 ranks already give 246" in told


def test_no_headline_shares_a_core() -> None:
    for name in ("paper-simd", "paper-naive", "movements"):
        assert not any("oversubscribed" in line for line in summary.sentences(sweep(name)) if "Highest rate" in line)


def test_a_baseline_is_the_serial_run_and_not_the_fastest_one_rank_point() -> None:
    told = " ".join(summary.sentences(sweep("movements")))
    assert "against serial with simd on 1 rank" in told


def remarks(name: str, series: str, movement: str) -> list[tuple[str, str, str]]:
    """Law, parameter with its value, and remark."""
    (found,) = (item for item in sweep(name).series if item.name == series)
    rows = laws.tables(found)[0].records
    return [(str(r["law"]), str(r["parameter"]), str(r["remark"])) for r in rows if r["movement"] == movement]


def test_the_null_is_not_accepted_and_more_ranks_that_did_not_help_are_said() -> None:
    told = [remark for law, _, remark in remarks("paper-simd", "fat-weak", "scatter-gather") if law == "Gustafson"]
    assert len(set(told)) == 1
    assert told[0].startswith("more ranks did not help; no departure found (one of ")


def test_amdahls_law_of_the_strong_series_has_no_parallel_part() -> None:
    points = line("paper-simd", "fat-strong", "scatter-gather").unshared
    found = fit(AMDAHL, [(point.run.ranks, time) for point in points for time in point.medians_s()])
    assert found.parameters["p"].value == pytest.approx(-0.03, abs=0.02)
    assert found.parameters["p"].low < 0.0 < found.parameters["p"].high
    assert found.departure is not None
    assert found.departure > 0.05


def test_p_stands_by_both_clocks_since_speedups_use_forward_time() -> None:
    distributed = line("movements", "movements", "distributed")
    forward, total = (distributed.parallel_fraction(clock) for clock in ("forward_s", "total_s"))
    assert forward is not None
    assert total is not None
    assert forward.value == pytest.approx(0.998, abs=0.001)
    assert total.value == pytest.approx(0.47, abs=0.01)


def test_cores_far_apart_are_marked_in_the_row_of_their_point() -> None:
    marked = {(p.run.movement, p.run.ranks, p.size) for p in sweep("paper-simd").points if "cores differ" in p.marks}
    assert marked == {("serial", 1, 80), ("scatter-gather", 4, 80), ("scatter-gather", 16, 80)}
