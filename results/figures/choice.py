"""Bids for the same work: time against cost, and the front of those that no other beats in both.

What was measured is filled and its front solid. A forecast is hollow; the front with forecasts in it is dashed. Cost is
time by a fixed rate, so that the bounds of both lie on one slanted line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.figures.drawing import INK, Drawing, Values, as_files
from results.figures.style import COLOURS, LEGEND_ROW_INCHES, MARKERS, SIZE_INCHES, new_figure, set_title, styled
from results.files import write_whole
from results.forecast import bid as bids
from results.forecast.bid import Bid, Choice, ChoiceLimits, amount, priced
from results.formats import number, plural
from results.table import Table, csv_text, markdown

LEAST = 2  # bids with a price that make a figure
ROOM = 1.6  # beyond the values, as a factor: for what stands beside them
SPARE = 3.0  # a limit farther off than by this factor is not drawn: it would leave the bids no room


@dataclass(frozen=True)
class _Kind:
    """On demand or spot, and what is drawn of it."""

    name: str
    words: str
    spot: bool


KINDS = (_Kind("choice-on-demand", "on demand", spot=False), _Kind("choice-spot", "on spot machines", spot=True))


def drawings(found: Choice, limits: ChoiceLimits) -> list[Drawing]:
    """On demand and as spot machines, each where enough bids have such a price. Needs matplotlib."""
    made = []
    for kind in KINDS:
        shown = [bid for bid in found.bids if (amount(bid, kind.spot) or 0.0) > 0.0]
        if len(shown) >= LEAST:
            with styled(kind.name, *(bid.name for bid in shown)):
                made.append(_draw(found, shown, limits, kind))
    return made


def write(found: Choice, limits: ChoiceLimits, table: Table, folder: Path) -> Path:
    """Writes choice.md and .csv, and each figure (.svg, .png and its values as .csv), each atomically.

    Returns the folder. Raises OSError.
    """
    write_whole(folder / f"{table.name}.md", markdown(table))
    write_whole(folder / f"{table.name}.csv", csv_text(table))
    for drawing in drawings(found, limits):
        drawing.write(folder, drawing.name)
    return folder


def _draw(found: Choice, shown: Sequence[Bid], limits: ChoiceLimits, kind: _Kind) -> Drawing:
    figure = new_figure()
    axes = figure.add_subplot()
    _scales(axes, found, shown, kind)
    values = Values()
    names = list(dict.fromkeys(bid.name for bid in found.bids))  # a name keeps its colour in both figures
    for bid in shown:
        _mark(axes, bid, names.index(bid.name), kind, values)
    _fronts(axes, shown, kind)
    _limits(axes, found, limits, kind)
    for name in dict.fromkeys(bid.name for bid in shown):
        colour, marker = _style(names.index(name))
        axes.plot([], [], marker, color=colour, label=name)
    if forecast := list(dict.fromkeys(bid.basis for bid in shown if not bid.measured)):
        axes.plot([], [], "o", color=INK, markerfacecolor="none", label=f"hollow: forecast ({', '.join(forecast)})")
    handles, labels = axes.get_legend_handles_labels()
    title = f"Time against cost of a {found.work}, {kind.words}"
    if found.problem:
        title = f"Time against cost, {kind.words}: {found.problem}"
    title += "" if any(bid.measured for bid in shown) else ": forecast"
    set_title(axes, title)
    figure.set_figheight(SIZE_INCHES[1] + LEGEND_ROW_INCHES * len(labels))
    figure.legend(handles, labels, loc="outside lower center", ncols=1)
    return as_files(figure, kind.name, title, values)


def _style(index: int) -> tuple[str, str]:
    return COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]


def _scales(axes: Any, found: Choice, shown: Sequence[Bid], kind: _Kind) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    times = [edge for bid in shown for edge in (bid.bounded_time.low, bid.bounded_time.high)]
    prices = [edge for bid in shown if (price := priced(bid, spot=kind.spot)) for edge in (price.low, price.high)]
    axes.set_xlim(min(times) / ROOM, max(times) * ROOM)
    axes.set_ylim(min(prices) / ROOM, max(prices) * ROOM)
    axes.set_xlabel(f"Time of a {found.work} (s)")
    axes.set_ylabel(f"Cost of a {found.work}, {kind.words} ({found.currency})")


def _mark(axes: Any, bid: Bid, index: int, kind: _Kind, values: Values) -> None:
    """A bid with its bounds, and the number of its nodes beside it."""
    time, price = bid.bounded_time, priced(bid, spot=kind.spot)
    if price is None:
        return
    colour, marker = _style(index)
    axes.plot([time.low, time.high], [price.low, price.high], "-", color=colour, linewidth=1.4, zorder=2)
    face = colour if bid.measured else "none"
    (artist,) = axes.plot(
        [time.value], [price.value], marker, color=colour, markerfacecolor=face, markersize=6.5, zorder=3
    )
    axes.annotate(
        plural(bid.nodes, "node"), (time.value, price.value), xytext=(6, 5), textcoords="offset points", fontsize=8.5
    )
    bounds = bid.time
    values.add(
        artist,
        f"{bid.name}: {plural(bid.ranks, 'rank')} on {plural(bid.nodes, 'node')}: {number(time.value, 3)} s, "
        f"{number(price.value, 3)}, {bid.basis if bid.measured else f'forecast: {bid.basis}'}",
        {
            "name": bid.name, "machine_type": bid.machine_type, "nodes": bid.nodes, "ranks": bid.ranks,
            "total_s": time.value, "total_low_s": bounds.low if bounds else None,
            "total_high_s": bounds.high if bounds else None, "price": price.value,
            "price_low": price.low if bounds else None, "price_high": price.high if bounds else None,
            "basis": bid.basis, "run_ids": " ".join(bid.point.run_ids) if bid.point is not None else "",
        },
    )  # fmt: skip


def _fronts(axes: Any, shown: Sequence[Bid], kind: _Kind) -> None:
    """Of what was measured, and of all where forecasts change it."""
    measured = bids.front([bid for bid in shown if bid.measured], spot=kind.spot)
    every = bids.front(shown, spot=kind.spot)
    if any(not bid.measured for bid in every):
        words = "front with forecasts (Pareto)" if measured else "front of the forecasts (Pareto)"
        _stairs(axes, every, kind, ("--", words))
    if measured:
        _stairs(axes, measured, kind, ("-", "front of what was measured (Pareto)"))


def _stairs(axes: Any, front: Sequence[Bid], kind: _Kind, how: tuple[str, str]) -> None:
    """What is to be had: for a price the least time, from the quickest to the cheapest."""
    ordered = sorted(front, key=lambda bid: bid.total_s)
    times = [bid.total_s for bid in ordered]
    prices = [amount(bid, kind.spot) for bid in ordered]
    (_, far), (_, top) = axes.get_xlim(), axes.get_ylim()
    axes.plot(
        [times[0], *times, far], [top, *prices, prices[-1]], how[0], drawstyle="steps-post", color=INK, linewidth=1.1,
        alpha=0.7, zorder=1, label=how[1],
    )  # fmt: skip


def _limits(axes: Any, found: Choice, limits: ChoiceLimits, kind: _Kind) -> None:
    """The deadline and the budget, where they lie near the bids; the axes reach to them."""
    if (deadline := limits.deadline_s) is not None:
        low, high = axes.get_xlim()
        if low / SPARE < deadline < high * SPARE:
            axes.axvline(deadline, color=INK, linewidth=1.0, linestyle=":", label=f"deadline, {number(deadline, 3)} s")
            axes.set_xlim(min(low, deadline / ROOM), max(high, deadline * ROOM))
    if (budget := limits.budget) is not None and not kind.spot:
        low, high = axes.get_ylim()
        if low / SPARE < budget < high * SPARE:
            told = f"budget, {number(budget, 3)} {found.currency}"
            axes.axhline(budget, color=INK, linewidth=1.0, linestyle="-.", label=told)
            axes.set_ylim(min(low, budget / ROOM), max(high, budget * ROOM))
