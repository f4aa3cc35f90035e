from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from results.comparison import clusters
from results.records.sweep import RecordedSweep, read_sweep
from results.report.contents import of_all
from workload.record.files import read_json, write_json
from workload.record.run import Run
from workload.record.schema import SCHEMA_VERSION

BATCHES = (4, 8, 16, 32)


def cluster(
    make_maker: Any, name: str, law: Callable[[Run], float], price: float | None = None, **how: Any
) -> RecordedSweep:
    maker = make_maker(name, seed=len(name), noise=how.pop("noise", 0.005))
    for launch in range(how.pop("launches", 3)):
        for batch in BATCHES:
            for ranks in (1, 2):
                maker.add("sizes", "size", law, ranks=ranks, batch=batch, launch=launch)
    folder = maker.finish()
    inventory = read_json(folder / "inventory.json") | {"cluster": name}
    if price is not None:
        inventory["price"] = {"amount_per_hour": price, "currency": "USD", "date": "2026-01-01"}
    write_json(folder / "inventory.json", inventory)
    return read_sweep(folder)


def line(start_s: float, image_s: float) -> Callable[[Run], float]:
    return lambda run: start_s + image_s * run.problem.batch / run.ranks


def test_each_cluster_stands_at_its_best_with_its_price(make_maker: Any) -> None:
    fat = cluster(make_maker, "fat", line(0.0, 0.01), price=0.5)
    light = cluster(make_maker, "light", line(0.0, 0.02), price=0.1)
    rows = clusters.best([light, fat])
    assert [row.sweep.name for row in rows] == ["fat", "light"] * len(BATCHES)
    assert {row.point.run.ranks for row in rows} == {2}
    first, second = rows[:2]
    assert first.ratio is None
    assert second.ratio is not None
    assert second.ratio.low <= 2.0 <= second.ratio.high
    assert first.work_per_money is not None
    assert first.work_per_money.value == pytest.approx(4 / first.time.value * 3600 / 0.5)
    (table, _) = of_all([light, fat])
    assert table.name == "versus"
    assert "per USD" in table.rows[0][-1]
    assert any("Energy is not measured" in note for note in table.notes)
    ids = {launch.run_id for sweep in (fat, light) for launch in sweep.launches}
    assert all(set(str(record["run_ids"]).split()) <= ids for record in table.records)


def test_the_crossing_lies_between_two_measured_batches(make_maker: Any) -> None:
    quick_start = cluster(make_maker, "light", line(0.0, 0.02))
    fast_images = cluster(make_maker, "fat", line(0.1, 0.008))  # equal at B / 2 = 8.3: between 16 and 32
    (told,) = clusters.crossings([quick_start, fast_images])
    assert told == "The crossing lies between B = 16, where light is faster, and B = 32, where fat is."


def test_without_a_crossing_the_faster_is_named(make_maker: Any) -> None:
    fat, light = cluster(make_maker, "fat", line(0.0, 0.01)), cluster(make_maker, "light", line(0.0, 0.02))
    (told,) = clusters.crossings([fat, light])
    assert told.startswith("fat is faster at every batch")


def test_what_noise_hides_is_not_claimed(make_maker: Any) -> None:
    one = cluster(make_maker, "one", line(0.0, 0.01), launches=2)
    other = cluster(make_maker, "other", line(0.0, 0.02), launches=2)
    (told,) = clusters.crossings([one, other])
    assert "no difference can be claimed" in told


@pytest.mark.parametrize("price", [None, 0.0])
def test_without_a_price_no_money_is_named(make_maker: Any, price: float | None) -> None:
    sweeps = [cluster(make_maker, name, line(0.0, 0.01), price) for name in ("one", "two")]
    assert all(row.work_per_money is None for row in clusters.best(sweeps))
    assert of_all(sweeps)[0].rows[0][-1] == "—"


@pytest.mark.parametrize("price", ["free", {"amount_per_hour": "1", "currency": "USD"}, {"currency": "USD"}, None])
def test_a_price_that_is_none_is_left_out(make_maker: Any, price: object) -> None:
    maker = make_maker("sweep")
    maker.add("strong")
    folder = maker.finish()
    write_json(folder / "inventory.json", read_json(folder / "inventory.json") | {"price": price})
    assert clusters.price_of(read_sweep(folder)) is None


def test_sweeps_of_other_problems_are_not_set_against_each_other(make_maker: Any) -> None:
    one, two = make_maker("one"), make_maker("two")
    one.add("strong", batch=8)
    two.add("strong", batch=9)
    sweeps = [one.read(), two.read()]
    assert clusters.best(sweeps) == []
    assert [table.name for table in of_all(sweeps)] == ["side-by-side"]


def with_forecast(sweep: RecordedSweep, seconds: Callable[[Run], float]) -> RecordedSweep:
    """The sweep with a ledger that forecast its runs."""
    entries = {
        launch.run_id: {"forward_s": seconds(launch.run), "total_s": 1.0, "interval_s": None}
        for launch in sweep.launches
    }
    event = {"schema_version": SCHEMA_VERSION, "event": "forecast", "forecasts": entries}
    (sweep.folder / "ledger.jsonl").write_text(json.dumps(event) + "\n")
    return read_sweep(sweep.folder)


def test_the_probes_share_of_the_difference_is_told(make_maker: Any) -> None:
    slow = with_forecast(cluster(make_maker, "light", line(0.0, 0.04), noise=1e-6), line(0.0, 0.02))
    fast = with_forecast(cluster(make_maker, "fat", line(0.0, 0.01), noise=1e-6), line(0.0, 0.01))
    (told,) = clusters.explained([slow, fast])
    assert told.startswith("light took 4 times the forward time of fat in the mean of 8 points that both ran; ")
    assert told.endswith("the probes alone foretold 2 times, 50% of the difference in log time.")
    (joint, _) = of_all([slow, fast])
    assert told in joint.notes


@pytest.mark.parametrize(
    ("measured", "forecast", "words"),
    [
        (0.01, 0.02, ": no difference that they could explain."),
        (0.02, 0.005, ", the other way round: they explain none of it."),
        (0.02, 0.04, ", 200% of the difference in log time."),
    ],
)
def test_what_the_probes_do_not_explain_is_said(make_maker: Any, measured: float, forecast: float, words: str) -> None:
    one = with_forecast(cluster(make_maker, "one", line(0.0, measured), noise=1e-6), line(0.0, forecast))
    two = with_forecast(cluster(make_maker, "two", line(0.0, 0.01), noise=1e-6), line(0.0, 0.01))
    (told,) = clusters.explained([one, two])
    assert told.endswith(words)


def test_without_forecasts_in_both_ledgers_nothing_is_explained_and_that_is_said(make_maker: Any) -> None:
    one = with_forecast(cluster(make_maker, "one", line(0.0, 0.02)), line(0.0, 0.02))
    two = cluster(make_maker, "two", line(0.0, 0.01))
    (told,) = clusters.explained([one, two])
    assert "cannot be told: no point of both was forecast in both ledgers" in told


def test_points_with_other_options_are_not_held_against_each_other(make_maker: Any) -> None:
    found = []
    for name, options in (("one", {"chunk_bytes": 2**20}), ("two", {"chunk_bytes": 2**22})):
        maker = make_maker(name)
        maker.add("strong", movement="distributed", options=options)
        found.append(with_forecast(maker.read(), line(0.0, 0.01)))
    assert clusters.explained(found) == []
