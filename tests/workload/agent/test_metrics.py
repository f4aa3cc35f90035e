"""Metrics of a run, from its output and its files."""

from pathlib import Path
from typing import Any

import pytest

from workload.agent.metrics import read_all

METRIC = {"name": "m", "unit": "s", "higher": False, "headline": True, "pattern": None, "file": None, "json": None,
          "csv": None}  # fmt: skip


def read(folder: Path, output: bytes, success: str | None = None, **metric: Any) -> dict[str, Any]:
    log, where = folder / "log", folder / "run"
    log.write_bytes(output)
    where.mkdir(exist_ok=True)
    return read_all({"metrics": [METRIC | metric], "success": success, "log": str(log), "folder": str(where)})


def value(found: dict[str, Any]) -> tuple[float, int]:
    assert not found["missing"]
    return found["metrics"][0]["value"], found["metrics"][0]["matches"]


def test_the_last_match_counts(tmp_path: Path) -> None:
    assert value(read(tmp_path, b"t: 1\nt: 2\0\nt: 3 \xff\n", pattern="t: {number}")) == (3.0, 3)


def test_files(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "out.json").write_text('{"a": {"b": [1, 2.5]}, "text": "1.5D0", "no": true}')
    (run / "out.csv").write_text("step, time\n1, 0.5\n2, 0.75\n")
    assert value(read(tmp_path, b"", file="out.json", json="a.b.-1")) == (2.5, 1)
    assert value(read(tmp_path, b"", file="out.json", json="text")) == (1.5, 1)
    assert value(read(tmp_path, b"", file="out.csv", csv="time")) == (0.75, 2)
    assert value(read(tmp_path, b"", file="out.csv", pattern="2, {number}")) == (0.75, 1)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ({"pattern": "t: {number}"}, "is nowhere in the output"),
        ({"pattern": "u: (.*)"}, "'many' is no number"),
        ({"file": "none.json", "json": "a"}, "the run wrote no none.json"),
        ({"file": "out.json", "json": "a.c"}, "out.json has no a.c"),
        ({"file": "out.json", "json": "no"}, "is no number"),
        ({"file": "../log", "pattern": "u: {number}"}, "lies outside"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, metric: dict[str, Any], words: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "out.json").write_text('{"a": {}, "no": true}')
    found = read(tmp_path, b"u: many\n", **metric)
    assert words in found["missing"][0]


def test_success_is_looked_for(tmp_path: Path) -> None:
    assert read(tmp_path, b"t: 1\nVALID\n", success="^VALID$", pattern="t: {number}")["succeeded"]
    assert not read(tmp_path, b"t: 1\nINVALID\n", success="^VALID$", pattern="t: {number}")["succeeded"]


@pytest.mark.parametrize("line", [b"Hello from rank 0 of 1", b"ranks: 1", b"Running on 1 MPI process", b"np = 1"])
def test_ranks_that_say_that_they_are_alone(tmp_path: Path, line: bytes) -> None:
    assert read(tmp_path, line + b"\n" + line + b"\n", pattern="t: {number}")["alone"] == 2
    assert read(tmp_path, b"rank 0 of 16\nranks: 12\n", pattern="t: {number}")["alone"] == 0
