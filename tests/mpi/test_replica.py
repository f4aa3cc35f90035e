"""The published method: wrong from two ranks on, and its work falls as floor(floor(B / N) / N)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workload.footprint import predict
from workload.grid import Grid
from workload.problem import Problem
from workload.record import Images, Run

PROBLEM = Problem(64, 3, 3, 96, 96, 3)


def make_run(ranks: int, problem: Problem = PROBLEM, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "problem": problem, "ranks": ranks, "nodes": 1, "ranks_per_node": ranks, "binding": "none", "threads": 1,
        "grid": Grid(batch=ranks), "movement": "replica", "backend": "naive", "images": Images("synthetic", "0" * 64),
        "weights": "random", "seed": 1, "warmups": 1, "repeats": 2, "save": False, "launch": 0,
    }  # fmt: skip
    return Run(**values | changes)


@pytest.fixture
def measured(mpirun: Callable[..., Any], tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    def measure(*runs: Run) -> list[dict[str, Any]]:
        (tmp_path / "runs.json").write_text(json.dumps([run.as_dict() for run in runs]))
        problem = runs[0].problem
        pool = np.random.default_rng(1).integers(1, 256, (8, *problem.x_shape[1:]), dtype=np.uint8)
        np.save(tmp_path / "pool.npy", pool)
        found: list[dict[str, Any]] = mpirun(
            runs[0].ranks, "measurements.py", tmp_path / "runs.json", tmp_path / "pool.npy"
        )
        return found

    return measure


@pytest.mark.parametrize(("ranks", "batch"), [(1, 7), (2, 7), (2, 8), (3, 10), (4, 9)])
def test_it_is_wrong_from_two_ranks_on_and_says_what_it_computed(
    ranks: int, batch: int, measured: Callable[..., list[dict[str, Any]]]
) -> None:
    problem = Problem(batch, 3, 4, 20, 22, 3)
    run = make_run(ranks, problem)
    (measurement,) = measured(run)
    assert measurement["check"]["passed"] == (ranks == 1)
    images = batch // ranks // ranks
    each = images * problem.y_elements // batch
    assert [block["output_elements"] for block in measurement["blocks"]] == [each] * ranks
    moved = sum(call["bytes"] for call in measurement["mpi_calls"])
    assert moved == 2 * run.repeats * predict(problem, run.grid, "replica").moved_bytes
    assert {"Allgather", "Gatherv", "Barrier"} <= {call["call"] for call in measurement["mpi_calls"]}


def test_cpu_seconds_of_convolve_follow_the_double_partition(
    measured: Callable[..., list[dict[str, Any]]],
) -> None:
    per_image = {}
    for ranks in (1, 2, 4, 8):
        (measurement,) = measured(make_run(ranks, repeats=12 if ranks > 1 else 4))
        images = PROBLEM.batch // ranks // ranks
        cpu_s = [rank["convolve_cpu_s"] for repeat in measurement["repeats"] for rank in repeat["ranks"]]
        # the lower quartile: other work on the machine only ever adds to a rank's CPU time
        per_image[ranks] = float(np.quantile(cpu_s, 0.25)) / images
    assert per_image == pytest.approx(dict.fromkeys(per_image, per_image[1]), rel=0.1)


def test_another_grid_is_refused(mpirun: Callable[..., Any], tmp_path: Path) -> None:
    from mpi4py import MPI  # the ranks' library; a communicator of one needs no mpirun

    from workload.movement import Task, make

    task = Task(
        MPI.COMM_SELF, PROBLEM, Grid(row=1, column=2), None, None, None, np.zeros(PROBLEM.w_shape, np.float32), {}
    )  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cuts the batch alone"):
        make("replica", task)
