from __future__ import annotations

import json
import math
import random
import statistics
from typing import Any

import pytest

from results.estimates import ratio_estimate
from results.records.sweep import read_sweep
from results.report.summary import sentences
from results.scaling import noise
from results.scaling.disturbance import warnings
from results.scaling.power import welch_difference
from results.tables.series import spread
from workload.record.run import Run

FLAT_S = 0.1


def flat(_run: Run) -> float:
    return FLAT_S


def test_a_steady_sweep_has_no_warning(maker: Any) -> None:
    maker.add_strong(counts=(1, 2, 4, 8))
    assert warnings(maker.read()) == []


def test_a_drift_is_told_and_its_size_is_right(maker: Any) -> None:
    maker.noise = 0.01
    counts = (1, 2, 4, 8)
    for launch in range(4):
        for index, ranks in enumerate(counts):
            order = launch * len(counts) + index
            maker.add(
                "strong", law=lambda _run, order=order: FLAT_S * math.exp(0.02 * order), ranks=ranks, launch=launch
            )
    found = noise.drift(maker.read().points)
    assert found is not None
    assert found.told
    assert found.change == pytest.approx(0.02 * 12, rel=0.25)  # launches of a point lie 12 runs apart
    told = [line for line in sentences(maker.read()) if line.startswith("Drift: the same runs took ")]
    assert "% longer at the end" in told[0]


def test_chance_alone_is_rarely_called_a_drift(make_maker: Any) -> None:
    told = 0
    for seed in range(20):
        maker = make_maker(f"sweep-{seed}", seed=seed)
        maker.add_strong(counts=(1, 2, 4), law=flat)
        found = noise.drift(maker.read().points)
        told += found is not None and found.told
    assert told <= 1


def test_other_work_on_the_node_is_told(maker: Any) -> None:
    maker.add_strong(counts=(1, 2), change=lambda record: record["machines"][0].update(load_1m=5.0))
    assert any(line.startswith("Load: before or during 6 of 6 runs") for line in warnings(maker.read()))


def test_stolen_time_is_told(maker: Any) -> None:
    maker.add_strong(counts=(1,), change=lambda record: record["machines"][0].update(steal_s=4.0))  # of 5 s x 16
    assert any(line.startswith("Steal: in 3 of 3 runs") for line in warnings(maker.read()))


def test_a_core_that_others_slow_is_told_where_steal_time_is_not(maker: Any) -> None:
    def slowed(record: dict[str, Any]) -> None:
        for repeat in record["repeats"][:2]:
            repeat["ranks"][0]["yardstick_flops_per_s"] = [0.6e9, 0.7e9]

    def once(record: dict[str, Any]) -> None:
        record["repeats"][0]["ranks"][0]["yardstick_flops_per_s"] = [0.6e9, 0.7e9]

    maker.add_strong(counts=(1, 2, 4))
    maker.add("strong", ranks=2, launch=3, change=once)
    assert warnings(maker.read()) == [], "one reading says little"
    slow = maker.add("strong", ranks=2, launch=4, change=slowed)
    (told,) = warnings(maker.read())
    assert told.startswith("Cores: in 1 of 11 runs a core did the same small piece of work more slowly than in runs")
    assert "at 65% of the fastest one's speed" in told
    assert slow["run_id"] in told


def test_fewer_ranks_may_run_faster(maker: Any) -> None:
    def turbo(record: dict[str, Any]) -> None:
        for repeat in record["repeats"]:
            repeat["ranks"][0]["yardstick_flops_per_s"] = [1.5e9, 1.5e9]

    maker.add_strong(counts=(2,))
    for launch in range(3):
        maker.add("strong", ranks=1, launch=launch, change=turbo)
    assert warnings(maker.read()) == []


def canaries(maker: Any, *events: dict[str, Any]) -> list[str]:
    maker.add_strong(counts=(1,), law=flat)
    folder = maker.finish()
    lines = [
        json.dumps({"schema_version": 1, "event": "canary", "when": f"before launch {n}"} | event)
        for n, event in enumerate(events, 1)
    ]
    (folder / "ledger.jsonl").write_text("\n".join(lines) + "\n")
    return [line for line in warnings(read_sweep(folder)) if line.startswith("Canary")]


def test_a_node_whose_canary_changes_its_speed_is_named(maker: Any) -> None:
    steady = {"node1": 2.00e9, "node2": 1.99e9}
    (told,) = canaries(
        maker,
        {"multiply_adds_per_s": steady},
        {"multiply_adds_per_s": steady | {"node2": 1.5e9}},
        {"multiply_adds_per_s": steady},
    )
    assert told == (
        "Canary: a fixed kernel on node2 ran at 1.5 to 1.99 G multiply-adds/s round the 3 blocks of runs (-25 %): its "
        "speed changed."
    )


def test_a_canary_that_stays_within_a_tenth_says_nothing(maker: Any) -> None:
    assert canaries(maker, *({"multiply_adds_per_s": {"node1": rate}} for rate in (2.0e9, 1.85e9, 1.95e9))) == []


def test_a_canary_without_an_answer_is_told(maker: Any) -> None:
    (told,) = canaries(maker, {"failed": "no answer within 20 s"}, {"multiply_adds_per_s": {"node1": 2e9}})
    assert told == "Canary: no answer before launch 1: no answer within 20 s."


@pytest.mark.parametrize("rates", [None, 5, [], {"node1": "fast"}, {"node1": 0.0}, {"node1": -1.0}, {"node1": 1e999}])
def test_a_damaged_canary_breaks_nothing(maker: Any, rates: object) -> None:
    assert canaries(maker, {"multiply_adds_per_s": rates}, {"multiply_adds_per_s": {"node1": 2e9}}) == []


def test_outliers_are_marked_and_kept(maker: Any) -> None:
    def slow(record: dict[str, Any]) -> None:
        for name in ("total_s", "forward_s"):
            record["repeats"][1][name] *= 3

    maker.add_strong(counts=(1,), launches=2, law=flat)
    odd = maker.add("strong", ranks=1, launch=2, law=flat, change=slow)
    (series,) = maker.read().series
    found = noise.spread(series.points[0])
    assert found is not None
    assert [(outlier.run_id, outlier.repeat) for outlier in found.outliers] == [(odd["run_id"], 1)]
    (record,) = spread.table(series).records
    assert record["outlier_repeats"] == f"{odd['run_id']}/1"
    assert record["repeats"] == 9
    times = [repeat.forward_s for launch in series.points[0].launches for repeat in launch.repeats]
    assert record["forward_max_s"] == max(times)
    assert record["forward_median_s"] == pytest.approx(statistics.median(times))


def test_the_difference_that_is_told_is_found_in_four_of_five_cases(maker: Any) -> None:
    maker.noise = 0.05
    maker.add_strong(counts=(1, 2, 4, 8), launches=4, law=flat)
    points = maker.read().points
    found = noise.resolution(points)
    assert found is not None
    pooled = math.sqrt(statistics.fmean(statistics.variance(map(math.log, point.medians_s())) for point in points))
    assert found.noise == pytest.approx(pooled)
    assert found.launches == 4
    assert found.median <= found.worst
    assert found.median == pytest.approx(math.expm1(welch_difference(4) * pooled), rel=0.2)


@pytest.mark.parametrize("launches", [3, 5])
def test_welch_finds_the_difference_of_power_in_four_of_five_cases(launches: int) -> None:
    rng = random.Random(1)  # noqa: S311  # noise, not secrets
    difference = 0.05 * welch_difference(launches)
    found = 0
    for _ in range(1000):
        slow = [math.exp(difference + rng.gauss(0.0, 0.05)) for _ in range(launches)]
        found += ratio_estimate(slow, [math.exp(rng.gauss(0.0, 0.05)) for _ in range(launches)]).excludes(1.0)
    assert 0.76 <= found / 1000 <= 0.84


def test_what_was_called_resolved_at_three_launches_is_found_in_a_third_of_the_cases(stats: Any) -> None:
    """Of the noise at which a pooled test was said to resolve 9.5 %, our own test resolves about 20 %."""
    noise_of_it = math.log1p(0.095) / (stats.t.ppf(0.975, 20) * math.sqrt(2 / 3))
    assert math.expm1(noise_of_it * welch_difference(3)) == pytest.approx(0.20, abs=0.03)


def test_without_launches_enough_nothing_is_claimed(maker: Any) -> None:
    maker.add_strong(counts=(1, 2), launches=1)
    sweep = maker.read()
    assert noise.resolution(sweep.points) is None
    assert noise.drift(sweep.points) is None
    assert warnings(sweep) == []
