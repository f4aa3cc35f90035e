"""The published method: wrong from two ranks on, and its work falls as floor(floor(B / N) / N)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.marks import thorough
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.movement.descriptions.footprint import predict
from workload.movement.factory import make
from workload.record.run import Images, Run

PROBLEM = Problem(64, 3, 3, 160, 160, 3)


def make_run(ranks: int, problem: Problem = PROBLEM, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "problem": problem, "ranks": ranks, "nodes": 1, "ranks_per_node": ranks, "binding": "none", "threads": 1,
        "grid": Grid(batch=ranks), "movement": "replica", "backend": "naive", "images": Images("synthetic", "0" * 64),
        "weights": "random", "seed": 1, "warmups": 1, "repeats": 2, "save": False, "launch": 0,
    }  # fmt: skip
    return Run(**values | changes)


@pytest.fixture
def measured(mpirun: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """What a program that is given runs writes; that of their measurements by default."""

    def measure(*runs: Run, program: str = "measurements.py") -> Any:
        (tmp_path / "runs.json").write_text(json.dumps([run.as_dict() for run in runs]))
        problem = runs[0].problem
        pool = np.random.default_rng(1).integers(1, 256, (8, *problem.x_shape[1:]), dtype=np.uint8)
        np.save(tmp_path / "pool.npy", pool)
        return mpirun(runs[0].ranks, program, tmp_path / "runs.json", tmp_path / "pool.npy")

    return measure


@pytest.mark.parametrize(("ranks", "batches"), [(1, [7]), (2, [7, 8]), thorough(3, [10]), thorough(4, [9])])
def test_it_is_wrong_from_two_ranks_on_and_says_what_it_computed(
    ranks: int, batches: list[int], measured: Callable[..., Any]
) -> None:
    runs = [make_run(ranks, Problem(batch, 3, 4, 20, 22, 3)) for batch in batches]
    for run, measurement in zip(runs, measured(*runs), strict=True):
        assert measurement["check"]["passed"] == (ranks == 1)
        images = run.problem.batch // ranks // ranks
        each = images * run.problem.y_elements // run.problem.batch
        assert [block["output_elements"] for block in measurement["blocks"]] == [each] * ranks
        moved = sum(call["bytes"] for call in measurement["mpi_calls"])
        assert moved == 2 * run.repeats * predict(run.problem, run.grid, "replica").moved_bytes
        assert {"Allgather", "Gatherv", "Barrier"} <= {call["call"] for call in measurement["mpi_calls"]}


@pytest.mark.thorough
def test_cpu_seconds_of_convolve_follow_the_double_partition(measured: Callable[..., Any]) -> None:
    """The least CPU time of an image is the same at every N. Other work on the machine only ever adds to it."""
    least = measured(make_run(8, repeats=8), program="double_partition.py")
    assert least == pytest.approx([least[0]] * 4, rel=0.1)


def test_another_grid_is_refused() -> None:
    task: Any = SimpleNamespace(grid=Grid(row=1, column=2), problem=PROBLEM)
    with pytest.raises(ValueError, match="cuts the batch alone"):
        make("replica", task)
