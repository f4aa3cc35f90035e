"""Runs, their ids, and documents that are not what they should be."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runs import make_run
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.record.files import read_json, write_json
from workload.record.kinds import read_record
from workload.record.run import Images, Run, Workload
from workload.record.schema import SchemaError, check_shape

RUN = make_run(Problem(8, 3, 3, 32, 32, 3), 2, images=Images("sample", "a" * 64), warmups=1, repeats=3)


def test_a_run_survives_its_document() -> None:
    assert Run.from_dict(json.loads(json.dumps(RUN.as_dict()))) == RUN


def test_the_id_is_stable_over_releases() -> None:
    """Ids name records on disk: a change here orphans them, and needs a new schema version."""
    assert RUN.run_id == "2b69594a66f2a245"


@pytest.mark.parametrize(
    "change",
    [
        {"launch": 1},
        {"seed": 2},
        {"backend": "naive"},
        {"options": {"chunk_bytes": 5}},
        {"images": Images("sample", "b" * 64)},
        {"grid": Grid(row=2)},
        {"binding": "core"},
        {"problem": Problem(9, 3, 3, 32, 32, 3)},
        {"save": True},
    ],
)
def test_the_id_depends_on_what_is_computed_and_how(change: dict[str, Any]) -> None:
    assert replace(RUN, **change).run_id != RUN.run_id


@pytest.mark.parametrize("change", [{"workload": Workload(digest="f" * 64)}, {"images": Images("folder", "a" * 64)}])
def test_the_id_does_not_depend_on_where_it_came_from(change: dict[str, Any]) -> None:
    assert replace(RUN, **change).run_id == RUN.run_id


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ranks": 3}, "the grid has 2 parts, but the run has 3 ranks"),
        ({"grid": Grid(batch=16)}, "grid.batch = 16 parts"),
        ({"repeats": 0}, "repeats = 0 is out of range"),
        ({"threads": 1.5}, "threads = 1.5 is out of range"),
        ({"seed": -1}, "seed = -1 is out of range"),
        ({"binding": "socket"}, "binding = 'socket' is unknown"),
        ({"weights": "gauss"}, "weights = 'gauss' is unknown"),
    ],
)
def test_bad_runs_are_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(RUN, **change)


@pytest.mark.parametrize(
    "change",
    [{"problem": None}, {"problem": {"batch": 1}}, {"grid": {"batch": "2"}}, {"images": {}}, {"surprise": 1}],
)
def test_a_document_that_is_no_run_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match="not a run"):
        Run.from_dict(RUN.as_dict() | change)


def test_files_are_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"schema_version": 1, "text": "ö\u2028"})
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"schema_version": 1, "time_s": float("nan")})
    assert read_json(path)["text"] == "ö\u2028"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema_version": 1, "run_id": "ab', "not complete JSON"),
        ("", "not complete JSON"),
        ("\x00\xff", "not complete JSON"),
        ("[]", "not hold a JSON object"),
        ('{"schema_version": 2}', "schema_version 2, but this convscale reads 1"),
        ("{}", "schema_version None"),
        ('{"schema_version": 1}', "lacks run_id"),
    ],
)
def test_a_damaged_or_newer_record_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "0123456789abcdef.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SchemaError, match=words) as refused:
        read_record(path)
    assert path.name in str(refused.value)


def test_a_wrong_type_is_named_with_its_key() -> None:
    shape = {"repeats": [{"total_s": (int, float), "streamed": bool}]}
    check_shape({"repeats": [{"total_s": 1, "streamed": True}]}, shape, "record")
    for wrong, words in (
        ({"repeats": [{"total_s": True, "streamed": True}]}, r"record.repeats\[0\].total_s = 'True'"),
        ({"repeats": [{"total_s": 1, "streamed": 1}]}, "streamed"),
        ({"repeats": {}}, "record.repeats is not a list"),
        ({"repeats": [3]}, r"record.repeats\[0\] is not an object"),
    ):
        with pytest.raises(SchemaError, match=words):
            check_shape(wrong, shape, "record")
