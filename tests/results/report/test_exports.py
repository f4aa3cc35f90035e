from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from results.figures import series
from results.records.measurement import PARTS
from results.report import exports, page
from results.report.samples import samples_csv


def test_extra_p_gets_the_launches_of_every_point(full: Any) -> None:
    sweep = full.read()
    strong = sweep.series[0]
    ((name, text),) = exports.extra_p(strong).items()
    assert name == "strong-strong-scatter-gather-numpy.extrap.json"
    document = json.loads(text)
    assert document["parameters"] == ["ranks"]
    assert set(document["measurements"]) == {"forward", "total", "convolve", *(f"total->{part}" for part in PARTS)}
    for metrics in document["measurements"].values():
        (measurements,) = metrics.values()
        assert [each["point"] for each in measurements] == [[1], [2], [4]], "8 ranks are oversubscribed, 16 skipped"
        assert all(len(each["values"]) == 3 for each in measurements)
    point = next(p for p in strong.points if p.run.ranks == 2)
    assert document["measurements"]["forward"]["time"][1]["values"] == point.medians_s()


def test_phases_are_those_of_the_longest_rank(maker: Any) -> None:
    maker.add_strong(counts=(1, 2), launches=1)
    sweep = maker.read()
    document = json.loads(next(iter(exports.extra_p(sweep.series[0]).values())))
    point = next(p for p in sweep.points if p.run.ranks == 2)
    longest = max(parts["convolve"] for parts in point.parts_s.values())
    assert document["measurements"]["total->convolve"]["time"][1]["values"] == [pytest.approx(longest)]


def test_a_series_without_lines_exports_nothing(maker: Any) -> None:
    maker.add_strong(counts=(1,))
    assert exports.extra_p(maker.read().series[0]) == {}


def test_parquet_holds_what_the_csv_holds(full: Any) -> None:
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    from pyarrow import parquet

    sweep = full.read()
    table = parquet.read_table(io.BytesIO(exports.parquet([sweep]))).to_pylist()
    rows = list(csv.DictReader(io.StringIO(samples_csv([sweep]))))
    assert [{name: str(value) for name, value in row.items()} for row in table] == rows
    assert isinstance(table[0]["time_s"], float)


def test_the_report_writes_parquet_only_where_it_can(maker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    maker.add("strong")
    folder = maker.finish()
    monkeypatch.setattr(series, "of_series", lambda *_: [])  # drawing takes nearly all the time
    monkeypatch.setattr(page, "has_parquet", lambda: False)
    page.make([folder])
    assert not (folder / "samples.parquet").exists()
    monkeypatch.setattr(page, "has_parquet", lambda: True)
    monkeypatch.setattr(page, "parquet", lambda _sweeps: b"PAR1")
    page.make([folder])
    assert (folder / "samples.parquet").read_bytes() == b"PAR1"
