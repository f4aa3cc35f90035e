from __future__ import annotations

import csv
import io
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from results.figures import curves, drawing
from results.figures.curves import DrawnLine, Plot
from results.figures.drawing import Drawing
from results.figures.series import _lines, _plots, of_series
from results.records.measurement import PARTS
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries, RecordedSweep
from tests.results.conftest import SweepMaker, filled

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> RecordedSweep:
    """That of `full`."""
    return filled(SweepMaker(tmp_path_factory.mktemp("drawn") / "sweep")).read()


@pytest.fixture(scope="module")
def drawn(sweep: RecordedSweep) -> dict[str, Drawing]:
    """All its figures by name: drawing them takes seconds."""
    return {each.name: each for series in sweep.series for each in of_series(sweep, series)}


def test_each_series_has_its_figures_as_svg_and_png(drawn: dict[str, Drawing]) -> None:
    assert set(drawn) == {
        "strong-strong-time",
        "strong-strong-speedup",
        "strong-strong-absolute-speedup",
        "strong-strong-scatter-gather-numpy-phases",
        "weak-weak-time",
        "weak-weak-speedup",
        "weak-weak-efficiency",
        "weak-weak-scatter-gather-numpy-phases",
    }
    for each in drawn.values():
        ET.fromstring(each.svg)  # noqa: S314  # our own
        image = Image.open(io.BytesIO(each.png))
        assert image.width >= 800
        assert len(image.convert("L").getcolors() or range(256)) > 50, "more than a blank sheet"


def axes_of(plot: Plot, series: RecordedSeries) -> Any:
    """The axes that a plot draws."""
    return curves.draw(plot, dict(enumerate(_lines(series)))).figure.axes[0]


def plot_named(sweep: RecordedSweep, series: RecordedSeries, ending: str) -> Plot:
    return next(plot for plot in _plots(sweep, series) if plot.name.endswith(ending))


@pytest.mark.usefixtures("no_pictures")
def test_a_failed_run_is_a_marked_gap_and_never_a_zero(sweep: RecordedSweep) -> None:
    strong = sweep.series[0]
    axes = axes_of(plot_named(sweep, strong, "time"), strong)
    assert [text.get_text() for text in axes.texts] == ["skipped"]
    line = next(line for line in axes.lines if len(line.get_xdata()) == 5)
    values = dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert values[16] != values[16]
    assert values[8] != values[8], "the oversubscribed point is joined to no line"
    assert all(values[ranks] > 0 for ranks in (1, 2, 4))


@pytest.mark.usefixtures("no_pictures")
def test_oversubscribed_points_are_hollow(sweep: RecordedSweep) -> None:
    strong = sweep.series[0]
    axes = axes_of(plot_named(sweep, strong, "time"), strong)
    faces = {
        line.get_xdata()[0]: line.get_markerfacecolor()
        for line in axes.lines
        if len(line.get_xdata()) == 1 and line.get_marker() == "o"
    }
    assert faces[8] == "none"
    assert faces[4] != "none"


@pytest.mark.usefixtures("no_pictures")
def test_error_bars_are_the_bounds(sweep: RecordedSweep) -> None:
    weak = sweep.series[1]
    axes = axes_of(plot_named(sweep, weak, "time"), weak)
    spans = sorted(
        tuple(segment[:, 1])
        for container in axes.containers
        for bars in container[2]
        for segment in bars.get_segments()
    )
    times = [point.time() for point in weak.points if point.timed]
    expected = sorted((time.low, time.high) for time in times if time)
    assert spans == [pytest.approx(pair) for pair in expected]


def test_names_with_mathematics_or_markup_are_drawn_as_text(maker: Any) -> None:
    maker.add("$\\frac{$<script>alert(1)</script>", ranks=2)
    sweep = maker.read()
    for each in of_series(sweep, sweep.series[0]):
        assert b"<script" not in each.svg
        ET.fromstring(each.svg)  # noqa: S314
        ET.fromstring(drawing.inline(each, "f1"))  # noqa: S314


def test_a_series_without_any_time_draws_nothing(maker: Any) -> None:
    maker.add("strong", ranks=1, outcome="skipped")
    maker.add("strong", ranks=2, outcome="timeout")
    sweep = maker.read()
    assert of_series(sweep, sweep.series[0]) == []


@pytest.mark.usefixtures("no_pictures")
def test_size_scaling_is_drawn_over_the_batch(maker: Any) -> None:
    for batch in (4, 8):
        maker.add("sizes", "size", ranks=2, batch=batch)
    sweep = maker.read()
    names = [each.name for each in of_series(sweep, sweep.series[0])]
    assert names == ["size-sizes-time", "size-sizes-scatter-gather-numpy-phases"]


def test_the_pages_svg_follows_the_readers_preference(drawn: dict[str, Drawing]) -> None:
    svg = drawing.adaptive(drawn["strong-strong-time"].svg)
    ET.fromstring(svg)  # noqa: S314
    assert b"prefers-color-scheme:dark" in svg
    assert svg.count(drawing.INK.encode()) == 1, "only where the variable is set"


def test_every_value_shows_on_hovering_and_stands_in_the_data(drawn: dict[str, Drawing], sweep: RecordedSweep) -> None:
    time = drawn["strong-strong-time"]
    rows = list(csv.DictReader(io.StringIO(time.data)))
    points = sweep.series[0].points
    assert len(rows) == len(points)
    for row, point in zip(sorted(rows, key=lambda row: row["run_ids"]), sorted(points, key=_ids), strict=True):
        assert row["run_ids"] == _ids(point)
        assert row["outcome"] == point.outcome
        assert row["value"] == (str(point.time().value) if point.timed else "")
    titles = [element.text or "" for element in ET.fromstring(time.svg).iter(f"{SVG}title")]  # noqa: S314
    timed = [point for point in points if point.timed]
    assert sum("ranks, B = 16" in title for title in titles) == len(timed)
    phases = drawn["strong-strong-scatter-gather-numpy-phases"]
    assert "1 rank, rank 0: convolve" in phases.svg.decode()
    assert {row["part"] for row in csv.DictReader(io.StringIO(phases.data))} == set(PARTS)


def _ids(point: RecordedPoint) -> str:
    return " ".join(point.run_ids)


def test_figures_of_one_page_share_no_id(drawn: dict[str, Drawing]) -> None:
    ids: list[str] = []
    for index, each in enumerate(drawn.values()):
        text = drawing.inline(each, f"f{index}")
        root = ET.fromstring(text)  # noqa: S314
        own = [element.get("id") for element in root.iter() if element.get("id")]
        used = re.findall(r'(?:href="|url\()#([^")]+)', text)
        assert set(used) <= set(own), "what is referred to is there"
        assert root.get("aria-label") == each.title
        ids += [name for name in own if name]
    assert len(ids) == len(set(ids))


@pytest.mark.usefixtures("no_pictures")
def test_a_line_keeps_its_colour_in_every_figure(maker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure of relative speedup leaves the serial line out, and shifts no other's colour."""
    for movement in ("pipeline", "serial", "shared", "tree"):
        maker.add_strong(counts=(1,) if movement == "serial" else (1, 2), movement=movement)
    seen: dict[str, set[int]] = {}
    curve = curves._curve

    def spy(axes: Any, plot: Plot, line: DrawnLine, index: int, values: Any) -> None:
        seen.setdefault(line.label, set()).add(index)
        curve(axes, plot, line, index, values)

    monkeypatch.setattr(curves, "_curve", spy)
    sweep = maker.read()
    of_series(sweep, sweep.series[0])
    assert len(seen) == 4
    assert all(len(numbers) == 1 for numbers in seen.values())
    assert len(set.union(*seen.values())) == 4
