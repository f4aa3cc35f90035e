from __future__ import annotations

from typing import Any

import pytest

from results.audit.paper import replay
from results.figures.convolution import figures_of_series
from results.records.point import RecordedPoint
from results.report import contents
from workload.movement.descriptions.replica import replica_images
from workload.record.outcomes import OK, WRONG_ANSWER
from workload.record.run import Run

IMAGE_S = 0.004


def slip(run: Run) -> float:
    """Forward seconds of the double partition: what is left to convolve, and a hundredth for moving."""
    return IMAGE_S * (replica_images(run.problem.batch, run.ranks) + 0.01 * run.problem.batch)


def add_replays(maker: Any, counts: tuple[int, ...] = (1, 2, 4, 8), launches: int = 3) -> None:
    maker.add_strong(counts=counts, launches=launches, batch=64)
    for launch in range(launches):
        for ranks in counts:
            outcome = OK if ranks == 1 else WRONG_ANSWER
            kind = {"movement": "replica", "ranks": ranks, "launch": launch, "batch": 64, "outcome": outcome}
            maker.add("strong", law=slip, **kind)


def test_published_replayed_and_correct_stand_side_by_side(maker: Any) -> None:
    add_replays(maker)
    (series,) = maker.read().series
    rows = {row.ranks: row for row in replay.rows(series)}
    assert list(rows) == [1, 2, 4, 8]
    assert [row.images for row in rows.values()] == [64, 16, 4, 1]
    assert [row.work for row in rows.values()] == [1, 16 / 64, 4 / 64, 1 / 64]
    assert rows[8].published == pytest.approx({"fat": 0.88 / 44.02, "light": 5.648217 / 40.129868})
    for ranks in (2, 4, 8):
        row = rows[ranks]
        assert row.replayed_light is not None
        assert row.correct is not None
        expected = (replica_images(64, ranks) + 0.64) / 64.64
        assert row.replayed_light.low <= expected <= row.replayed_light.high
        assert row.replayed_light.value < row.correct.value, "the slip falls faster than honest work can"
        assert len(row.run_ids) == 3
    assert (rows[1].replayed_light.value, rows[1].correct.value) == (1.0, 1.0)  # type: ignore[union-attr]


def test_replays_enter_no_speedup_and_no_time(maker: Any) -> None:
    add_replays(maker)
    replays = [point for point in maker.read().points if point.run.movement == "replica"]
    assert not any(point.counting for point in replays)
    assert [bool(point.timed) for point in replays] == [True, False, False, False]
    assert all(len(replay.replayed(point)) == 3 for point in replays)


def test_the_fat_clock_leaves_the_gather_out(maker: Any) -> None:
    maker.add("strong", movement="replica", ranks=2, batch=64, outcome=WRONG_ANSWER, law=slip)
    (launch,) = maker.read().launches
    whole = max(rank.parts_s["convolve"] + rank.parts_s["collect"] for rank in launch.repeats[0].ranks)
    gathers = [call.time_s / 3 for call in launch.mpi_calls if call.call == "Gatherv"]
    assert whole - max(gathers) * 1.5 < replay.fat_clock_s(launch) < whole


def test_fewer_cores_than_ranks_are_said(maker: Any) -> None:
    def two_cores(record: dict[str, Any]) -> None:
        record["machines"][0]["cores"] = 2

    for ranks in (1, 4):
        outcome = OK if ranks == 1 else WRONG_ANSWER
        maker.add("strong", movement="replica", ranks=ranks, batch=64, outcome=outcome, law=slip, change=two_cores)
    (series,) = maker.read().series
    assert [row.crowding for row in replay.rows(series)] == [1.0, 2.0]
    (table,) = [table for table in contents.of_series(maker.read(), series) if table.name.startswith("replay")]
    assert any("At 4 ranks there are fewer cores than ranks" in note for note in table.notes)
    record = table.records[1]
    assert record["convolve_expected"] == 2 * record["work"]  # type: ignore[operator]


def test_a_slow_core_does_not_look_like_more_work(maker: Any) -> None:
    def slowed(record: dict[str, Any]) -> None:
        for repeat in record["repeats"]:
            for rank in repeat["ranks"]:
                rank["convolve_cpu_s"] *= 2.0
                rank["phases_s"]["convolve"] *= 2.0
                rank["yardstick_flops_per_s"] = [0.48e9, 0.48e9 / 0.92]  # the harmonic mean is half the speed

    for ranks in (1, 2):
        outcome = OK if ranks == 1 else WRONG_ANSWER
        change = slowed if ranks == 2 else None
        maker.add("strong", movement="replica", ranks=ranks, batch=64, outcome=outcome, law=slip, change=change)
    (series,) = maker.read().series
    _, row = replay.rows(series)
    assert row.convolve_cpu is not None
    assert row.even_cpu is not None
    assert row.even_convolve is not None
    assert row.even_cpu.value == pytest.approx(row.convolve_cpu.value / 2.0)
    assert row.even_convolve.value == pytest.approx(row.even_cpu.value * 1.10 / 1.05), "of the longest rank"


def test_without_a_replay_there_is_no_table_and_no_figure(full: Any) -> None:
    for series in full.read().series:
        assert replay.rows(series) == []
        assert figures_of_series(series) == []


def test_the_figure_names_all_five_lines(maker: Any) -> None:
    add_replays(maker, launches=1)
    (series,) = maker.read().series
    (drawing,) = figures_of_series(series)
    assert drawing.name == "strong-strong-numpy-replay"
    assert drawing.svg.startswith(b"<?xml")


def test_a_killed_replay_has_no_ratio(maker: Any) -> None:
    maker.add("strong", movement="replica", ranks=1, batch=64, law=slip)
    maker.add("strong", movement="replica", ranks=2, batch=64, outcome="out_of_memory")
    row = replay.rows(maker.read().series[0])[1]
    assert (row.replayed_fat, row.replayed_light, row.correct) == (None, None, None)
    assert isinstance(maker.read().points[0], RecordedPoint)
