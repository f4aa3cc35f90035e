from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from results.figures import forecast as forecast_files
from results.figures.drawing import Drawing
from results.forecast import predict
from results.forecast.predict import ForecastRow, Terms
from results.forecast.residuals import band
from results.tables.sweep.forecast import table
from tests.results.forecast.test_predict import asked, terms


def forecast(conditions: Terms, counts: tuple[int, ...] = (1, 2, 4, 8, 16)) -> list[ForecastRow]:
    return predict.rows([asked(ranks) for ranks in counts], conditions)


def drawn(conditions: Terms, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """Style and rank counts of each line that is drawn."""
    from matplotlib.axes import Axes

    found: list[tuple[str, list[int]]] = []
    plot = Axes.plot

    def spy(self: Axes, *given: Any, **how: Any) -> Any:
        if len(given) > 2 and given[2] in ("-", "--") and len(given[0]) > 1:
            found.append((given[2], list(given[0])))
        return plot(self, *given, **how)

    monkeypatch.setattr(Axes, "plot", spy)
    forecast_files.draw("strong", forecast_files.of_probe(forecast(conditions)))
    return found


@pytest.mark.usefixtures("no_pictures")
def test_the_line_is_dashed_beyond_twice_the_probed_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(terms(probed_ranks=4), monkeypatch) == [("-", [1, 2, 4, 8]), ("--", [8, 16])]


@pytest.mark.usefixtures("no_pictures")
def test_the_line_is_solid_where_it_was_probed_and_dashed_where_all_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(terms(probed_ranks=16), monkeypatch) == [("-", [1, 2, 4, 8, 16])]
    assert drawn(terms(stated=True), monkeypatch) == [("--", [1, 2, 4, 8, 16])]


def rows_of(drawing: Drawing) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(drawing.data)))


@pytest.mark.usefixtures("no_pictures")
def test_the_figures_values_are_the_forecasts_with_interval_and_basis() -> None:
    known = band([[(ranks, 0.1 * sign) for ranks in (1, 2)] for sign in (-1.0, 0.0, 1.0)])
    rows = forecast(terms(band=known))
    values = rows_of(forecast_files.draw("strong", forecast_files.of_probe(rows)))
    assert [int(value["ranks"]) for value in values] == [1, 2, 4, 8, 16]
    for value, row in zip(values, rows, strict=True):
        assert float(value["forward_s"]) == pytest.approx(row.found.forward_s)
        assert row.interval_s is not None
        assert [float(value["low_s"]), float(value["high_s"])] == pytest.approx(list(row.interval_s))
        assert value["basis"] == row.basis
    bare = rows_of(forecast_files.draw("strong", forecast_files.of_probe(forecast(terms()))))
    assert {value["low_s"] for value in bare} == {""}


def test_table_and_figure_are_written(tmp_path: Path) -> None:
    conditions = terms()
    rows = forecast(conditions)
    folder = forecast_files.write(forecast_files.of_probe(rows), table(rows, conditions), tmp_path / "new" / "folder")
    names = {path.name for path in folder.iterdir()}
    assert names == {"forecast.md", "forecast.csv", *(f"forecast-strong.{kind}" for kind in ("svg", "png", "csv"))}
    with (folder / "forecast.csv").open() as file:
        assert [float(line["forward_s"]) for line in csv.DictReader(file)] == [row.found.forward_s for row in rows]
