"""Which of several clusters to take: the fastest and the cheapest of each, what is beaten, what stops the others."""

import math

import pytest

from results.forecast import predict
from results.forecast.bid import ChoiceLimits, amount, cheapest, fastest, front
from results.forecast.choice import ClusterForecast, choice
from results.forecast.residuals import band
from results.records.price import HourlyPrice
from results.tables.across.choice import table
from tests.results.forecast.test_predict import asked, terms


def cluster(name, amount_per_hour, counts=(1, 2, 4), **changes):
    """A cluster of the same nodes, at another price; its forecasts are those of the probe."""
    price = None if amount_per_hour is None else HourlyPrice(amount_per_hour, "USD")
    conditions = terms(price=price, **changes)
    return ClusterForecast(name, f"type-{name}", predict.rows([asked(n) for n in counts], conditions), conditions, 0.5)


def test_of_a_cluster_stand_the_fastest_way_and_the_cheapest():
    spread = cluster("spread", 4.0, counts=(1, 4, 8), cluster_nodes=2)
    found = choice([spread]).bids
    times = {row.asked.case.ranks: row.found.total_s for row in spread.rows}
    assert found[0].total_s == min(times.values())
    assert min(amount(bid) for bid in found) == min(row.price for row in spread.rows)
    assert len(found) <= 2
    assert [amount(bid, spot=True) for bid in found] == [pytest.approx(amount(bid) / 2) for bid in found]


def test_what_another_beats_in_time_and_money():
    cheap, dear, free = cluster("cheap", 1.0), cluster("dear", 9.0), cluster("free", None)
    found = choice([cheap, dear, free]).bids
    kept = {bid.cluster for bid in front(found)}
    assert kept == {"cheap", "free"}, "one without a price is not beaten in price"


def test_a_deadline_and_a_budget():
    slow, quick = cluster("slow", 1.0, counts=(1,)), cluster("quick", 100.0, counts=(4,))
    found = choice([slow, quick]).bids
    (slow_bid,) = (bid for bid in found if bid.cluster == "slow")
    (quick_bid,) = (bid for bid in found if bid.cluster == "quick")
    assert quick_bid.total_s < slow_bid.total_s
    assert cheapest(found, ChoiceLimits()) is slow_bid
    assert cheapest(found, ChoiceLimits(deadline_s=(quick_bid.total_s + slow_bid.total_s) / 2)) is quick_bid
    assert cheapest(found, ChoiceLimits(deadline_s=quick_bid.total_s / 2)) is None
    assert fastest(found, ChoiceLimits()) is quick_bid
    assert fastest(found, ChoiceLimits(budget=(amount(quick_bid) + amount(slow_bid)) / 2)) is slow_bid
    assert fastest(found, ChoiceLimits(budget=amount(slow_bid) / 2)) is None


def test_what_does_not_fit_is_no_way_to_do_it():
    small = cluster("small", 1.0, node_memory_bytes=1024)
    assert choice([small]).bids == []
    told = table(choice([small, cluster("large", 2.0)]), ChoiceLimits()).notes
    assert any("small: the work needs more than 90% of a node's memory" in note for note in told)


def test_the_table_answers_and_says_what_stops_the_others():
    slow, quick = cluster("slow", 1.0, counts=(1,)), cluster("quick", 100.0, counts=(4,))
    unpriced = cluster("unpriced", None, counts=(4,))
    times = sorted(bid.total_s for bid in choice([slow, quick, unpriced]).bids)
    made = table(choice([slow, quick, unpriced]), ChoiceLimits(deadline_s=(times[0] + times[-1]) / 2, budget=1e-12))
    assert [record["cluster"] for record in made.records][-1] == "slow"
    assert {record["machine_type"] for record in made.records} == {"type-slow", "type-quick", "type-unpriced"}
    notes = "\n".join(made.notes)
    assert "The cheapest within" in notes
    assert "quick with 4 ranks on 1 node" in notes
    assert "None is to be had for at most 1.00e-12 USD a repeat" in notes
    assert "slow is too slow: " in notes
    assert "unpriced has no price" in notes


def test_a_cluster_whose_forecasts_were_held_against_measurements_has_an_interval():
    """Each of five sweeps took 1.1 to 1.3 times as long as was forecast."""
    off = [[(ranks, math.log(1.1 + 0.05 * sweep)) for ranks in (1, 2, 4)] for sweep in range(5)]
    known, new, described = (
        cluster("known", 1.0, counts=(2,), band=band(off)),
        cluster("new", 1.0, counts=(2,)),
        cluster("described", 1.0, counts=(2,), stated=True),
    )
    found = choice([known, new, described])
    made = {bid.name: bid for bid in found.bids}
    low, high = (factor * made["known"].total_s for factor in known.terms.band.at(2))
    assert (made["known"].time.low, made["known"].time.high) == (pytest.approx(low), pytest.approx(high))
    assert low < 1.2 * made["known"].total_s < high
    assert made["new"].time is None
    assert made["described"].time is None
    notes = "\n".join(found.notes)
    assert "Interval of known: 95%, from how far forecasts of 15 points in 5 sweeps of it were off" in notes
    assert "No interval of described: others state the figures" in notes
    assert "No interval of new: it takes 3 sweeps" in notes
    row = next(row for row in table(found, ChoiceLimits()).records if row["cluster"] == "known")
    assert row["price_low"] == pytest.approx(low / 3600)
    assert cheapest([made["known"]], ChoiceLimits(deadline_s=(low + high) / 2)) is None, "that is open"
    assert cheapest([made["known"]], ChoiceLimits(deadline_s=high)) is made["known"]


def test_without_any_price_only_the_fastest_is_named():
    made = table(choice([cluster("free", None)]), ChoiceLimits())
    assert any(note.startswith("None of them has a price") for note in made.notes)
    assert any(note.startswith("The fastest: free with") for note in made.notes)
