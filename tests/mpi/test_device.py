"""Movement `device` under real MPI, on GPUs that CPUs play: right answers, what is recorded, what is given back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.marks import thorough
from tests.runs import make_run
from tests.workload.gpu.played import COMPILER, NO_COMPILER
from workload.domain.problem import Problem
from workload.movement.descriptions.footprint import predict
from workload.record.schema import DEVICE_PARTS

pytestmark = pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)


@pytest.fixture
def played(mpirun: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """`played(ranks, gpus, how)`: what the program found with so many GPUs on the node."""
    pool = tmp_path / "pool.npy"
    np.save(pool, np.random.default_rng(1).integers(1, 256, (8, 9, 20, 19), dtype=np.uint8))
    return lambda ranks, gpus, how="sound": mpirun(ranks, "gpus.py", pool, tmp_path, gpus, how)


@pytest.mark.parametrize(("ranks", "gpus"), [(1, 1), thorough(2, 2), thorough(3, 2), thorough(5, 4)])
def test_every_grid_gives_the_right_answer(ranks: int, gpus: int, played: Callable[..., dict[str, Any]]) -> None:
    found = played(ranks, gpus)
    assert not found["wrong"]
    assert found["done"] == 3 * (7 if ranks == 2 else 3)
    for measurement in found["kept"]:
        devices = measurement["devices"]
        assert [each["rank"] for each in devices] == list(range(ranks))
        assert [int(each["uuid"], 16) for each in devices] == [rank % gpus for rank in range(ranks)]
        (machine,) = measurement["machines"]
        assert [int(each["uuid"], 16) for each in machine["gpus"]] == [0, 1]
        assert [each["other_processes"] for each in machine["gpus"]] == [0, 1]
        for repeat in measurement["repeats"]:
            for rank in repeat["ranks"]:
                look_at(rank, measurement["run"]["options"].get("chunk_bytes"))


def look_at(rank: dict[str, Any], chunk_bytes: int | None) -> None:
    """In pieces of one image the parts lie over each other; in one piece one follows the other."""
    assert "yardstick_flops_per_s" not in rank
    *parts, total = (rank["device_s"][part] for part in DEVICE_PARTS)
    assert min(parts) > 0
    if chunk_bytes == 1:
        assert max(parts) <= total < 0.99 * sum(parts)
    elif chunk_bytes is None:
        assert sum(parts) == pytest.approx(total)


def test_what_the_last_repeat_left_is_no_answer(played: Callable[..., dict[str, Any]]) -> None:
    found = played(2, 1, "broken")
    assert [entry[2]["check"] for entry in found["wrong"]] == [False]


@pytest.mark.thorough
def test_the_arrays_on_the_host_are_those_predicted(mpirun: Callable[..., Any], tmp_path: Path) -> None:
    """In pieces, for the memory of a played GPU is the rank's own."""
    problem, options = Problem(40, 3, 3, 512, 768, 3), {"chunk_bytes": 1}
    np.save(tmp_path / "pool.npy", np.random.default_rng(1).integers(1, 256, (8, 3, 512, 768), dtype=np.uint8))
    run = make_run(problem, 2, movement="device", backend="cuda", options=options)
    (tmp_path / "runs.json").write_text(json.dumps([run.as_dict()]))
    (measurement,) = mpirun(2, "measurements.py", tmp_path / "runs.json", tmp_path / "pool.npy", tmp_path)
    assert measurement["check"]["passed"]
    arrays = predict(problem, run.grid, "device", options, 2, backend="cuda").array_bytes
    assert min(arrays) > 150e6
    held = [rank["peak_rss_bytes"] - rank["baseline_rss_bytes"] for rank in measurement["memory"]]
    lanes = 3 * (problem.x_bytes + problem.y_bytes) // problem.batch
    assert held == [pytest.approx(size + lanes, rel=0.1) for size in arrays]
