"""Time against cost: what is drawn of bids, and what only stands in the data."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from results.estimates import INTERVAL, Estimate
from results.figures.choice import drawings
from results.forecast.bid import Bid, Choice, ChoiceLimits
from results.forecast.choice import choice
from results.records.price import PerHour
from tests.results.comparison.test_buying import LIST
from tests.results.comparison.test_buying import cluster as measured
from tests.results.forecast.test_choice import cluster as forecast


def bid(name: str, total_s: float, per_hour: float | None, spot: float | None = None) -> Bid:
    time = Estimate(total_s, 0.9 * total_s, 1.2 * total_s, INTERVAL, 3)
    return Bid(name, name, "type", 2, 4, "simd", total_s, "stated figures", PerHour(per_hour, spot), time)


def rows(drawing: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(drawing.data)))


def lines(drawing: Any) -> dict[str, Any]:
    """What the legend names, by its words."""
    axes = drawing.figure.axes[0]
    handles, labels = axes.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def made(*bids: Bid, **limits: float) -> list[Any]:
    return drawings(Choice("Which machines", "run", bids, "USD"), ChoiceLimits(**limits))


@pytest.mark.usefixtures("no_pictures")
def test_there_is_a_figure_for_each_kind_of_price_that_enough_have() -> None:
    both = made(bid("one", 1.0, 4.0, 1.0), bid("two", 2.0, 1.0, 0.2), bid("free", 1.5, None))
    assert [drawing.name for drawing in both] == ["choice-on-demand", "choice-spot"]
    assert [row["name"] for row in rows(both[0])] == ["one", "two"]
    assert [drawing.name for drawing in made(bid("one", 1.0, 4.0, 1.0), bid("two", 2.0, 1.0))] == ["choice-on-demand"]
    assert made(bid("one", 1.0, 4.0)) == []
    assert made(bid("one", 1.0, 0.0), bid("two", 1.0, 0.0)) == [], "a cost of zero has no place on a logarithmic axis"


def test_its_values_are_times_and_costs_with_their_bounds() -> None:
    (drawing,) = made(bid("one", 3600.0, 4.0), bid("two", 7200.0, 1.0))
    one = rows(drawing)[0]
    assert float(one["price"]) == pytest.approx(4.0)
    assert (float(one["price_low"]), float(one["price_high"])) == pytest.approx((3.6, 4.8))
    assert (float(one["total_low_s"]), float(one["total_high_s"])) == pytest.approx((3240.0, 4320.0))
    assert b"one: 4 ranks on 2 nodes: 3600 s, 4.00, forecast: stated figures" in drawing.svg


@pytest.mark.usefixtures("no_pictures")
def test_the_front_goes_from_the_quickest_to_the_cheapest() -> None:
    (drawing,) = made(bid("cheap", 30.0, 1.0), bid("lost", 40.0, 2.0), bid("quick", 10.0, 9.0))
    front = lines(drawing)["front of the forecasts (Pareto)"]
    assert list(front.get_xdata())[:3] == [10.0, 10.0, 30.0]
    assert list(front.get_ydata())[1:3] == pytest.approx([10 * 9 / 3600, 30 / 3600])
    assert front.get_linestyle() == "--"


@pytest.mark.usefixtures("no_pictures")
def test_a_forecast_is_hollow_and_its_front_dashed_with_its_basis_named() -> None:
    (drawing,) = drawings(choice([forecast("cheap", 1.0), forecast("dear", 30.0)]), ChoiceLimits())[:1]
    found = lines(drawing)
    assert "hollow: forecast (probed)" in found
    assert "front of what was measured (Pareto)" not in found
    assert all(row["basis"] == "probed" and row["price_low"] == "" for row in rows(drawing))


@pytest.mark.usefixtures("no_pictures")
def test_what_was_measured_is_filled_and_its_front_solid(make_maker: Any) -> None:
    from results.comparison import buying

    sweeps = [measured(make_maker, name, image_s, machine_type="big") for name, image_s in (("a", 0.01), ("b", 0.02))]
    (found,) = buying.choices(sweeps, LIST)
    (drawing, _) = drawings(found, ChoiceLimits())
    assert lines(drawing)["front of what was measured (Pareto)"].get_linestyle() == "-"
    assert not any("hollow" in words for words in lines(drawing))
    assert all(len(row["run_ids"].split()) == 3 for row in rows(drawing))


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(("deadline_s", "drawn"), [(2.0, True), (50.0, False)])
def test_a_limit_is_drawn_where_it_lies_near_the_bids(deadline_s: float, drawn: bool) -> None:
    (drawing,) = made(bid("one", 1.0, 4.0), bid("two", 3.0, 1.0), deadline_s=deadline_s, budget=1e-3)
    named = list(lines(drawing))
    assert any(words.startswith("deadline") for words in named) is drawn
    assert any(words.startswith("budget") for words in named)
