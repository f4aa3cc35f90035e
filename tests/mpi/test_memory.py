"""Measured memory beside predicted, on arrays large enough to tell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.marks import thorough
from tests.runs import make_run
from workload.domain.problem import Problem
from workload.movement.descriptions.footprint import predict
from workload.record.run import Run

BIG = Problem(24, 3, 3, 768, 1024, 3)  # x of 216 MiB, so that no rank's arrays are below 100 MB


@pytest.fixture
def measure(mpirun: Callable[..., Any], tmp_path: Path) -> Callable[[Run], dict[str, Any]]:
    def run_one(run: Run) -> dict[str, Any]:
        problem = run.problem
        shape = (8, problem.in_channels, problem.height, problem.width)
        np.save(tmp_path / "pool.npy", np.random.default_rng(1).integers(1, 256, shape, dtype=np.uint8))
        (tmp_path / "runs.json").write_text(json.dumps([run.as_dict()]))
        measurement: dict[str, Any] = mpirun(
            run.ranks, "measurements.py", tmp_path / "runs.json", tmp_path / "pool.npy"
        )[0]
        assert measurement["check"]["passed"]
        return measurement

    return run_one


@pytest.mark.parametrize(
    ("movement", "options", "backend"),
    [
        ("scatter-gather", {}, "numpy"),
        thorough("scatter-gather", {}, "naive"),
        thorough("scatter-gather", {"in_place": True}, "numpy"),
        thorough("tree", {"group_ranks": 1}, "numpy"),
        thorough("pipeline", {"chunk_bytes": 150 * 10**6}, "numpy"),
        thorough("pipeline", {"in_window": True, "chunk_bytes": 250 * 10**6}, "numpy"),
        thorough("pipeline", {"in_window": True, "chunk_bytes": 150 * 10**6, "group_ranks": 1}, "simd"),
        ("shared", {}, "numpy"),
        thorough("shared", {"group_ranks": 1}, "numpy"),
        thorough("distributed", {}, "numpy"),
        thorough("distributed", {"chunk_bytes": 120 * 10**6}, "numpy"),
    ],
)
def test_the_predicted_peak_is_the_measured_one(
    movement: str, options: dict[str, int], backend: str, measure: Callable[[Run], dict[str, Any]]
) -> None:
    run = make_run(BIG, 2, movement=movement, options=options, backend=backend)
    predicted = predict(BIG, run.grid, movement, options, 2, backend=backend)
    assert min(predicted.array_bytes) > 100e6
    measured = [rank["peak_rss_bytes"] for rank in measure(run)["memory"]]
    assert measured == [pytest.approx(peak, rel=0.1) for peak in predicted.peak_bytes]


@pytest.mark.thorough
def test_the_peak_of_a_block_falls_as_one_over_n(measure: Callable[[Run], dict[str, Any]]) -> None:
    arrays = []
    for ranks in (1, 2, 4):
        memory = measure(make_run(BIG, ranks, movement="distributed"))["memory"]
        arrays.append(max(rank["peak_rss_bytes"] - rank["baseline_rss_bytes"] for rank in memory))
    assert arrays[1:] == [pytest.approx(arrays[0] / 2, rel=0.1), pytest.approx(arrays[0] / 4, rel=0.1)]


@pytest.mark.thorough
@pytest.mark.parametrize("switches", [{}, {"in_window": True}])
def test_the_roots_peak_in_a_pipeline_is_flat(
    switches: dict[str, bool], measure: Callable[[Run], dict[str, Any]]
) -> None:
    peaks = []
    for batch in (20, 60):
        problem = Problem(batch, 3, 3, 768, 1024, 3)
        options = {"chunk_bytes": 40 * 10**6, **switches}
        root = measure(make_run(problem, 2, movement="pipeline", options=options))["memory"][0]
        peaks.append(root["peak_rss_bytes"])
    assert peaks[1] == pytest.approx(peaks[0], rel=0.1)
