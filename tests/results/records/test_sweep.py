from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.records.marks import BESIDE, SHARED_NODES
from results.records.sweep import SweepError, read_sweep, read_sweeps
from results.report import summary
from results.tables.series import scaling
from tests.results.conftest import ProgramSweep
from workload.record.files import read_json, write_json


def test_a_whole_folder_is_read_without_a_problem(full: Any) -> None:
    sweep = read_sweep(full.folder)
    assert sweep.problems == ()
    assert [(series.name, series.scaling) for series in sweep.series] == [("strong", "strong"), ("weak", "weak")]
    assert len(sweep.launches) == len(list((full.folder / "records").glob("*.json")))
    assert [launch.sequence for launch in sweep.launches] == sorted(launch.sequence for launch in sweep.launches)


def test_a_run_that_two_series_want_is_in_both(full: Any) -> None:
    shared = [point for point in read_sweep(full.folder).points if point.series == {"strong", "weak"}]
    assert [(point.run.ranks, point.run.problem.batch) for point in shared] == [(4, 16)]


def newer(path: Path) -> None:
    record = json.loads(path.read_text())
    record["schema_version"] = 99
    path.write_text(json.dumps(record))


def another_run(path: Path) -> None:
    record = json.loads(path.read_text())
    record["run"]["ranks"] = 2
    path.write_text(json.dumps(record))


def not_a_number(path: Path) -> None:
    record = json.loads(path.read_text())
    record["repeats"][0]["forward_s"] = float("nan")
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "cut short"),
        (lambda path: path.write_bytes(b""), "cut short"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "cut short"),
        (lambda path: path.write_text("[]"), "not hold a JSON object"),
        (lambda path: path.write_text("[" * 100_000), "recursion"),
        (newer, "schema_version 99, but this convscale reads 1"),
        (another_run, "not a run"),
        (not_a_number, "forward_s = nan"),
    ],
)
def test_a_bad_record_is_refused_by_name_and_the_rest_is_read(
    full: Any, spoil: Callable[[Path], object], words: str
) -> None:
    paths = sorted((full.folder / "records").glob("*.json"))
    spoil(paths[0])
    sweep = read_sweep(full.folder)
    assert len(sweep.launches) == len(paths) - 1
    (problem,) = sweep.problems
    assert paths[0].stem in problem
    assert words in problem
    assert "\n" not in problem


def test_a_record_under_another_runs_name_is_refused(full: Any) -> None:
    paths = sorted((full.folder / "records").glob("*.json"))
    (full.folder / "records" / "0123456789abcdef.json").write_bytes(paths[0].read_bytes())
    sweep = read_sweep(full.folder)
    assert len(sweep.launches) == len(paths)
    assert "0123456789abcdef.json holds the record of run" in sweep.problems[0]


def test_superseded_records_are_not_read(full: Any) -> None:
    paths = sorted((full.folder / "records").glob("*.json"))
    (full.folder / "records" / "superseded").mkdir()
    paths[0].rename(full.folder / "records" / "superseded" / f"{paths[0].stem}.1.json")
    sweep = read_sweep(full.folder)
    assert len(sweep.launches) == len(paths) - 1
    assert sweep.problems == ()


def test_runs_that_the_ledger_names_and_no_record_ends_are_counted(full: Any) -> None:
    recorded = next((full.folder / "records").glob("*.json")).stem
    full.planned(recorded, "f" * 16, "e" * 16)
    sweep = read_sweep(full.folder)
    assert sweep.unfinished == 2
    assert sweep.problems == ()  # a killed sweep may tear its last line


def test_runs_that_were_started_beside_another_sweep_are_marked(maker: Any) -> None:
    for launch in range(3):
        maker.add("strong", launch=launch)
    maker.finish()
    path = maker.folder / "ledger.jsonl"
    lines = path.read_text().splitlines()
    _, second, third = [index for index, line in enumerate(lines) if '"started"' in line]
    again = json.dumps({"schema_version": 1, "event": "resumed", "utc": "2026-01-01T01:00:00+00:00"})
    beside = json.dumps({"schema_version": 1, "event": "beside", "sweep": "the other one", "utc": "2026-01-01"})
    changed = [*lines[:second], again, beside, *lines[second:third], again, *lines[third:]]
    path.write_text("\n".join(changed) + "\n")
    sweep = read_sweep(maker.folder)
    assert [BESIDE in launch.marks for launch in sweep.launches] == [False, True, False]
    assert "Marked beside another sweep" in " ".join(summary.sentences(sweep))
    assert any("beside another sweep" in row[-1] for row in scaling.compact(sweep, sweep.series[0]).rows)


def test_runs_on_nodes_that_slurm_did_not_grant_whole_are_marked(maker: Any) -> None:
    maker.add_strong()
    assert not any(SHARED_NODES in launch.marks for launch in maker.read().launches)
    path = maker.folder / "inventory.json"
    write_json(path, read_json(path) | {"slurm": {"job": 7, "partition": "main", "shared": True}})
    sweep = read_sweep(maker.folder)
    assert all(SHARED_NODES in launch.marks for launch in sweep.launches)
    assert "Marked shared nodes (Slurm did not grant its nodes whole" in " ".join(summary.sentences(sweep))
    assert any("shared nodes" in row[-1] for row in scaling.compact(sweep, sweep.series[0]).rows)


def test_each_record_says_whether_its_own_nodes_were_granted_whole(maker: Any) -> None:
    """Whatever the inventory says, which is that of the sweep's first job."""
    job = {"cluster": "birch", "job": 7, "restarts": 0}
    for ranks, shared in ((1, False), (2, True)):
        slurm = {"slurm": {**job, "shared": shared}}
        maker.add("strong", ranks=ranks, change=lambda record, slurm=slurm: record.update(slurm))
    maker.add("strong", ranks=4)  # an older record
    maker.read()
    for of_sweep in (True, False):
        path = maker.folder / "inventory.json"
        write_json(path, read_json(path) | {"slurm": {"job": 7, "partition": "main", "shared": of_sweep}})
        marked = {launch.run.ranks: SHARED_NODES in launch.marks for launch in read_sweep(maker.folder).launches}
        assert marked == {1: False, 2: True, 4: of_sweep}


def test_a_record_whose_job_is_wrong_is_a_problem(maker: Any) -> None:
    maker.add("strong", ranks=1, change=lambda record: record.update(slurm={"job": 7, "shared": "no"}))
    assert "slurm lacks cluster" in " ".join(maker.read().problems)


def test_a_changed_ledger_is_named(full: Any) -> None:
    full.planned("f" * 16)
    ledger = full.folder / "ledger.jsonl"
    ledger.write_text("no event\n" + ledger.read_text())
    (problem,) = read_sweep(full.folder).problems
    assert problem.startswith("ledger.jsonl, line 1 is no event")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"name = ", b"{"])
def test_without_study_and_inventory_the_records_tell_the_scaling(full: Any, content: bytes | None) -> None:
    for name in ("study.toml", "inventory.json"):
        (full.folder / name).unlink() if content is None else (full.folder / name).write_bytes(content)
    sweep = read_sweep(full.folder)
    assert {series.name: series.scaling for series in sweep.series} == {"strong": "strong", "weak": "weak"}
    assert len(sweep.problems) == 2
    assert not any("oversubscribed" in point.marks for point in sweep.points)


def test_size_scaling_is_told_from_its_records(maker: Any) -> None:
    for batch in (4, 8, 16):
        maker.add("sizes", "size", ranks=2, batch=batch)
    maker.finish()
    (maker.folder / "study.toml").unlink()
    assert [series.scaling for series in read_sweep(maker.folder).series] == ["size"]


def test_a_folder_that_is_no_sweep_is_refused_in_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SweepError, match=r"is not a sweep folder: it has no records/") as refusal:
            read_sweep(folder)
        assert "\n" not in str(refusal.value)


def test_sweeps_of_one_name_are_told_apart_and_none_is_read_twice(make_maker: Callable[..., Any]) -> None:
    folders = []
    for parent in ("a", "b"):
        maker = make_maker(f"{parent}/same")
        maker.add("strong")
        folders.append(maker.finish())
    first, second = read_sweeps(folders)
    assert first.name != second.name
    with pytest.raises(SweepError, match="is given twice"):
        read_sweeps([folders[0], folders[0]])


def test_a_program_has_nothing_that_only_convolutions_have(tmp_path: Path) -> None:
    made = ProgramSweep(tmp_path)
    made.add(2, wall_s=1.0)
    (launch,) = made.read().launches
    with pytest.raises(TypeError, match="of kind program, and no convolution"):
        _ = launch.convolution
