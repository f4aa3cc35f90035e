"""Which machines to buy, by what sweeps of several clusters measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from results.comparison import buying
from results.figures import choice as figures
from results.forecast.bid import ChoiceLimits
from results.records.price import PerHour, PriceList, node_price
from results.records.sweep import RecordedSweep, SweepError, read_sweep
from results.report.contents import Buying
from results.report.contents import choices as chosen
from results.tables.across.choice import table
from results.tables.across.choices import table as choices_table
from tests.results.conftest import SMALL, ProgramSweep
from workload.record.files import read_json, write_json
from workload.record.outcomes import OUT_OF_MEMORY, SKIPPED
from workload.record.run import Run
from workload.record.schema import SCHEMA_VERSION

LIST = PriceList("USD", "a list of tests", {"big": PerHour(4.0, 1.0), "small": PerHour(0.5, None)})
BATCH = 16


def law(image_s: float) -> Callable[[Run], float]:
    """Seconds of a forward pass that scales ideally; total time is 1.1 times that."""
    return lambda run: image_s * run.problem.batch / run.ranks


def described(folder: Path, name: str, nodes: int, **changes: Any) -> RecordedSweep:
    """The sweep in a folder with another inventory."""
    node = {"slots": 2, "memory_bytes": 2**34, "machine_type": changes.pop("machine_type", None)}
    each = [{**node, "name": f"node{index + 1}", "address": f"10.0.0.{index + 1}"} for index in range(nodes)]
    own = {"cluster": name, "nodes": each, **changes}
    write_json(folder / "inventory.json", {**read_json(folder / "inventory.json"), **own})
    return read_sweep(folder)


def cluster(
    make_maker: Any, name: str, image_s: float, *, nodes: int = 1, launches: int = 3, noise: float = 0.005, **how: Any
) -> RecordedSweep:
    """One sweep: two ranks a node on 1, 2, 4.. of its nodes."""
    maker = make_maker(name, seed=len(name), noise=noise)
    for launch in range(launches):
        for count in (2**power for power in range(nodes.bit_length())):
            about = {"ranks": 2 * count, "nodes": count, "ranks_per_node": 2, "batch": BATCH}
            maker.add("strong", law=law(image_s), launch=launch, **about)
    return described(maker.finish(), name, nodes, **how)


def total(image_s: float, ranks: int) -> float:
    return 1.1 * image_s * BATCH / ranks


def priced(per_hour: float, *, spot: bool = False) -> dict[str, Any]:
    return {"amount_per_hour": per_hour, "currency": "USD", "date": "2026-01-01", "spot": spot}


def told(sweeps: list[RecordedSweep], known: PriceList = LIST, **limits: float) -> tuple[Any, str]:
    (found,) = buying.choices(sweeps, known)
    made = table(found, ChoiceLimits(**limits))
    return made, "\n".join(made.notes)


def test_each_cluster_stands_with_every_number_of_nodes_and_what_they_cost(make_maker: Any) -> None:
    big = cluster(make_maker, "bigs", 0.01, machine_type="big")
    small = cluster(make_maker, "smalls", 0.04, nodes=4, machine_type="small")
    made, notes = told([big, small])
    rows = {(row["cluster"], row["nodes"]): row for row in made.records}
    assert set(rows) == {("bigs", 1), ("smalls", 1), ("smalls", 2), ("smalls", 4)}
    for (name, nodes), image_s, per_hour in ((("bigs", 1), 0.01, 4.0), (("smalls", 4), 0.04, 0.5)):
        row, expected = rows[name, nodes], total(image_s, 2 * nodes)
        assert row["ranks"] == 2 * nodes
        assert row["total_s"] == pytest.approx(expected, rel=0.02)
        assert row["total_low_s"] < row["total_s"] < row["total_high_s"]
        assert row["price"] == pytest.approx(row["total_s"] * nodes * per_hour / 3600)
        assert row["price_low"] == pytest.approx(row["total_low_s"] * nodes * per_hour / 3600)
        assert len(row["run_ids"].split()) == 3
    assert rows["bigs", 1]["spot_price"] == pytest.approx(rows["bigs", 1]["price"] / 4)
    assert rows["smalls", 1]["spot_price"] is None
    assert {row["basis"] for row in made.records} == {"measured"}
    assert "Price of bigs, smalls: a list of tests." in notes


def test_the_cheapest_in_time_the_fastest_for_the_money_and_what_stops_the_others(make_maker: Any) -> None:
    big = cluster(make_maker, "bigs", 0.01, machine_type="big")  # 0.088 s, 98e-6 USD
    small = cluster(make_maker, "smalls", 0.02, machine_type="small")  # 0.176 s, 24e-6 USD
    slow = cluster(make_maker, "slow", 0.2, machine_type="small")  # 1.76 s, 244e-6 USD
    _, notes = told([big, small, slow], deadline_s=0.5, budget=5e-5)
    assert "The cheapest within 0.500 s: smalls with 2 ranks on 1 node, 0.17" in notes
    assert "The fastest for at most 5.00e-05 USD a repeat: smalls with 2 ranks on 1 node" in notes
    assert "slow is too slow: 1.7" in notes
    assert "bigs costs 9." in notes
    made, notes = told([big, small, slow], deadline_s=0.1)
    assert "The cheapest within 0.100 s: bigs" in notes
    assert "The fastest: bigs" in notes
    assert [row["beaten"] for row in made.records] == ["no", "no", "yes"]
    _, notes = told([big, small, slow], deadline_s=0.01)
    assert "None is within 0.0100 s: no cheapest can be named." in notes


def test_nothing_is_claimed_that_the_intervals_leave_open(make_maker: Any) -> None:
    one = cluster(make_maker, "one", 0.02, noise=0.1, machine_type="small")
    other = cluster(make_maker, "other", 0.02, noise=0.1, machine_type="small")
    made, notes = told([one, other], deadline_s=total(0.02, 2))
    assert [row["beaten"] for row in made.records] == ["cannot tell"] * 2
    assert "None is certain to be within 0.176 s; it is open for " in notes
    _, notes = told([one, other])
    assert "; no difference in cost can be claimed to " in notes
    assert "; no difference in time can be claimed to " in notes


def test_a_sweep_is_called_as_its_cluster_unless_another_is_of_the_same(make_maker: Any) -> None:
    maker = make_maker("quick-1")
    maker.add("strong", ranks=2, batch=BATCH)
    first = described(maker.finish(), "lab", 1, machine_type="small")
    maker = make_maker("quick-2")
    maker.add("strong", ranks=2, batch=BATCH)
    second = described(maker.finish(), "lab", 1, machine_type="small")
    other = cluster(make_maker, "other", 0.02, machine_type="small")
    made, notes = told([first, other])
    assert "Sweep" not in made.columns
    assert "Price of lab, other: a list of tests." in notes
    made, notes = told([first, second])
    assert {row["sweep"] for row in made.records} == {"quick-1", "quick-2"}
    assert "Price of quick-1, quick-2: a list of tests." in notes


def test_two_launches_carry_no_claim(make_maker: Any) -> None:
    quick = cluster(make_maker, "quick", 0.01, launches=2, machine_type="small")
    slow = cluster(make_maker, "slow", 0.2, launches=2, machine_type="small")
    made, notes = told([quick, slow], deadline_s=100.0)
    assert [row["beaten"] for row in made.records] == ["cannot tell"] * 2
    assert "None is certain to be within 100 s" in notes


def test_what_failed_is_named_with_its_reason(make_maker: Any) -> None:
    good = cluster(make_maker, "good", 0.01, machine_type="small")
    maker = make_maker("full")
    maker.add("strong", ranks=2, batch=BATCH, outcome=OUT_OF_MEMORY)
    full = described(maker.finish(), "full", 1)
    maker = make_maker("none")
    maker.add("strong", ranks=2, batch=BATCH + 1)
    none = described(maker.finish(), "none", 1)
    _, notes = told([good, full, none])
    assert "full on 1 node, 2 ranks: its outcome is out_of_memory: made out_of_memory." in notes
    assert "none has no run of this work." in notes
    assert "Price of full, none: no price is known." in notes


def with_forecast(sweep: RecordedSweep, total_s: float) -> RecordedSweep:
    """The sweep with a ledger that forecast all of its runs before any began."""
    entry = {"forward_s": total_s / 1.1, "total_s": total_s, "interval_s": None}
    event = {"schema_version": SCHEMA_VERSION, "event": "forecast"}
    event["forecasts"] = {launch.run_id: entry for launch in sweep.launches}
    (sweep.folder / "ledger.jsonl").write_text(json.dumps(event) + "\n")
    return read_sweep(sweep.folder)


def test_what_was_forecast_stands_apart_from_what_was_measured(make_maker: Any) -> None:
    measured = with_forecast(cluster(make_maker, "measured", 0.01, machine_type="small"), 0.07)
    maker = make_maker("ended")
    for launch in range(3):
        maker.add("strong", ranks=2, batch=BATCH, launch=launch, law=law(0.01))
        maker.add(
            "strong", ranks=4, nodes=2, ranks_per_node=2, batch=BATCH, launch=launch, outcome=SKIPPED,
            change=lambda record: record.update(reason="expired: the cluster's lifetime ended at noon"),
        )  # fmt: skip
    ended = with_forecast(described(maker.finish(), "ended", 2, machine_type="small"), 0.03)
    made, notes = told([measured, ended])
    bases = {(row["cluster"], row["nodes"]): (row["basis"], row["total_s"], row["foretold_s"]) for row in made.records}
    assert bases["ended", 2] == ("forecast: its ledger", 0.03, None)
    assert bases["measured", 1][::2] == ("measured", 0.07)
    assert "The fastest: ended with 2 ranks on 1 node" in notes or "The fastest: measured with 2 ranks" in notes
    assert "Forecast alone, and no part of these answers: ended with 4 ranks on 2 nodes, 0.0300 s" in notes
    row = next(row for row in made.records if row["basis"] != "measured")
    assert row["total_low_s"] is None
    assert row["price_low"] is None
    assert row["beaten"] == "cannot tell"


def test_a_run_that_could_not_be_is_no_forecast(make_maker: Any) -> None:
    good = cluster(make_maker, "good", 0.01, machine_type="small")
    maker = make_maker("small")
    maker.add("strong", ranks=2, batch=BATCH, outcome=SKIPPED)
    small = with_forecast(described(maker.finish(), "small", 1), 0.001)
    made, notes = told([good, small])
    assert [row["cluster"] for row in made.records] == ["good"]
    assert "small on 1 node, 2 ranks: its outcome is skipped: made skipped." in notes


def test_each_work_that_sweeps_share_is_answered_for_itself(make_maker: Any) -> None:
    quick_at = {"one": 8, "two": 4}  # each is the faster one at its own batch
    sweeps = []
    for name, batches in (("one", (4, 8, 64)), ("two", (4, 8))):
        maker = make_maker(name, noise=0.005)
        for launch in range(3):
            for batch in batches:
                image_s = 0.01 if batch == quick_at[name] else 0.04
                maker.add("size", "size", law=law(image_s), ranks=2, batch=batch, launch=launch)
        sweeps.append(described(maker.finish(), name, 1, machine_type="small"))
    found = buying.choices(sweeps, LIST)
    assert [{bid.point.run.problem.batch for bid in each.bids if bid.point} for each in found] == [{8}, {4}]
    assert [each.problem for each in found] == ["B = 8", "B = 4"]
    assert [each.bids[0].name for each in found] == ["one", "two"]
    made = choices_table(found, ChoiceLimits(deadline_s=0.03), detailed=1)
    told = [(row["work"], row["asked"], row["name"]) for row in made.records]
    assert told == [
        ("B = 8", "cheapest", None), ("B = 8", "fastest", "one"),
        ("B = 4", "cheapest", "two"), ("B = 4", "fastest", "two"),
    ]  # fmt: skip
    assert made.records[1]["total_s"] == pytest.approx(1.1 * 0.01 * 8 / 2, rel=0.02)
    notes = "\n".join(made.notes)
    assert "Asked for: the cheapest within 0.0300 s, the fastest." in notes
    assert "The bids for the first 1 piece of work" in notes
    alone = buying.choices(sweeps[:1], LIST)
    assert [each.problem for each in alone] == ["B = 64", "B = 4", "B = 8"], "of one sweep all that it tried"


def test_work_tried_in_more_ways_stands_first_and_is_named_in_full_where_kinds_differ(make_maker: Any) -> None:
    sweeps = []
    for name in ("one", "two"):
        maker = make_maker(name)
        for ranks in (1, 2):
            maker.add("strong", ranks=ranks, batch=4)
        maker.add("large", ranks=1, problem=replace(SMALL, kernel_size=5))
        sweeps.append(maker.read())
    first, second = buying.choices(sweeps, LIST)
    assert first.problem == "3 x 3 convolution of 64 x 64 images, 3 to 3 channels, B = 4"
    assert second.problem.startswith("5 x 5 convolution")


def test_without_a_price_or_a_limit_nothing_is_to_be_bought(make_maker: Any) -> None:
    sweeps = [cluster(make_maker, name, 0.01) for name in ("one", "two")]
    assert chosen(sweeps, Buying()) == []
    assert chosen(sweeps[:1], Buying()) == []
    asked = Buying(limits=ChoiceLimits(deadline_s=1.0))
    assert len(chosen(sweeps[:1], asked)) == 1, "of one sweep, how many nodes"
    (found,) = chosen(sweeps, asked)
    assert figures.drawings(found, asked.limits) == []
    stated = Buying(PriceList(stated={"one": 1.0}))
    assert len(chosen(sweeps, stated)) == 1
    assert len(chosen(sweeps[:1], stated)) == 1
    with pytest.raises(SweepError, match="--price one: no sweep here is of that cluster, but of two"):
        chosen(sweeps[1:], stated)


def test_a_persons_program_by_its_wall_time(tmp_path: Path) -> None:
    sweeps = []
    for name, wall_s in (("quick", 10.0), ("slow", 30.0)):
        maker = ProgramSweep(tmp_path / name, {"name": "rate", "unit": "", "higher": True, "headline": True,
                                               "pattern": "", "file": None, "json": None, "csv": None})  # fmt: skip
        for launch in range(3):
            for ranks in (1, 2):
                seconds = wall_s / ranks * (1 + 0.01 * launch)
                maker.add(ranks, seconds, value=5.0, launch=launch)
        maker.read()
        sweeps.append(described(maker.folder, name, 1, machine_type="small"))
    made, notes = told(sweeps, deadline_s=7.0)
    assert [(row["cluster"], row["ranks"]) for row in made.records] == [("quick", 2), ("slow", 2)]
    assert made.records[0]["total_s"] == pytest.approx(5.05, rel=1e-3)
    assert "A run of ./heat {n}, n = 512: its wall time" in notes
    assert "The cheapest within 7.00 s: quick with 2 ranks on 1 node, 5.05 [" in notes
    assert "slow is too slow: 15.1" in notes


@pytest.mark.parametrize(
    ("changes", "known", "expected"),
    [
        ({"machine_type": "big"}, LIST, (4.0, 1.0)),
        ({"machine_type": "small"}, LIST, (0.5, None)),
        ({"price": priced(6.0)}, LIST, (3.0, None)),
        ({"price": priced(6.0), "machine_type": "big"}, LIST, (3.0, 0.75)),
        ({"price": priced(2.0, spot=True), "machine_type": "big"}, LIST, (4.0, 1.0)),
        ({"price": priced(2.0, spot=True)}, LIST, (None, 1.0)),
        ({"price": priced(6.0)}, PriceList(stated={"own": 1.0}), (0.5, None)),
    ],
)
def test_a_nodes_price_is_stated_or_the_inventorys_or_the_lists(
    make_maker: Any, changes: dict[str, Any], known: PriceList, expected: tuple[float | None, float | None]
) -> None:
    sweep = cluster(make_maker, "own", 0.01, nodes=2, **changes)
    found = node_price(sweep, known)
    assert found is not None
    assert (found.per_hour.on_demand, found.per_hour.spot) == expected


def test_a_cluster_of_several_machine_types_has_no_price_of_a_list(make_maker: Any) -> None:
    sweep = cluster(make_maker, "mixed", 0.01, nodes=2, machine_type="big")
    document = read_json(sweep.folder / "inventory.json")
    document["nodes"][1]["machine_type"] = "small"
    write_json(sweep.folder / "inventory.json", document)
    mixed = read_sweep(sweep.folder)
    assert node_price(mixed, LIST) is None
    plain = cluster(make_maker, "plain", 0.01, machine_type="big")
    made, _ = told([mixed, plain])
    assert {row["machine_type"] for row in made.records} == {"big + small", "big"}


def test_prices_in_two_currencies_are_not_compared(make_maker: Any) -> None:
    one = cluster(make_maker, "one", 0.01, price=priced(1.0))
    other = cluster(make_maker, "other", 0.01, price={**priced(1.0), "currency": "EUR"})
    made, notes = told([one, other])
    assert {row["cluster"]: row["price"] is None for row in made.records} == {"one": False, "other": True}
    assert "Price of other: priced in EUR, which is not compared with USD." in notes
