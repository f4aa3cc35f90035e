"""What the large sweeps of the benchmark are: whole records that an audit passes, in a page that does not grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import large_sweep
from orchestration.paths import SweepPaths
from orchestration.sweep import resume
from results.audit.sweep import audit_of
from results.records.sweep import read_sweep
from results.report import page

RECORDS = 21


@pytest.fixture(params=large_sweep.SHAPES)
def sweep(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / request.param
    large_sweep.SHAPES[request.param](folder, RECORDS)
    return folder


def test_the_records_are_read_and_can_be_true(sweep: Path) -> None:
    found = read_sweep(sweep)
    assert found.problems == ()
    assert sum(launch.run.ranks == large_sweep.RANKS for launch in found.launches) == RECORDS
    assert not audit_of(found).certain


def test_what_a_page_has_no_room_for_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large_sweep.make_sizes(tmp_path / "sweep", RECORDS)
    monkeypatch.setattr(page, "EMBEDDED_BYTES", 2**14)
    monkeypatch.setattr(page, "LARGEST_SVG_BYTES", 2**14)
    monkeypatch.setattr(page, "MOST_ROWS", 10)
    text = page.make([tmp_path / "sweep"]).path.read_text()
    assert f"The first 10 of {RECORDS} rows" in text
    assert 'href="tables/mpi-calls-sizes.csv"' in text
    assert (tmp_path / "sweep/tables/mpi-calls-sizes.csv").is_file()
    assert "<svg" not in text
    assert text.count('<img src="data:image/png') == len(list((tmp_path / "sweep/figures").glob("*.png")))
    assert text.count("<tr>") < RECORDS * 20


def test_a_record_is_read_once_however_often_a_sweep_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large_sweep.make_sizes(tmp_path / "sweep", RECORDS)
    read: list[Path] = []
    original = resume.read_record
    monkeypatch.setattr(resume, "read_record", lambda path: read.append(path) or original(path))
    assert [large_sweep.resumed(tmp_path / "sweep") for _ in range(3)] == [RECORDS] * 3
    assert len(read) == RECORDS
    first = read[0]
    first.write_text(first.read_text().replace('"outcome": "ok"', '"outcome": "crashed"'))
    assert resume.records(SweepPaths(tmp_path / "sweep"))[first.stem]["outcome"] == "crashed"
    assert len(read) == RECORDS + 1
