"""Every movement under the real mpirun: the right answer, honest times, nothing fooled."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.marks import thorough
from workload.domain import backends
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.record.run import Images, Run
from workload.record.schema import MEASUREMENT_SHAPE, PHASES, check_shape

PROBLEM = Problem(7, 3, 4, 33, 29, 3)


def make_run(ranks: int, movement: str = "scatter-gather", **changes: Any) -> Run:
    values: dict[str, Any] = {
        "problem": PROBLEM,
        "ranks": ranks,
        "nodes": 1,
        "ranks_per_node": ranks,
        "binding": "none",
        "threads": 1,
        "grid": Grid(batch=ranks),
        "movement": movement,
        "backend": "numpy",
        "images": Images("synthetic", "0" * 64),
        "weights": "random",
        "seed": 1,
        "warmups": 1,
        "repeats": 2,
        "save": False,
        "launch": 0,
    }
    return Run(**values | changes)


@pytest.fixture
def inputs(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Writes runs and the pool they share."""

    def write(*runs: Run) -> tuple[Path, Path]:
        (tmp_path / "runs.json").write_text(json.dumps([run.as_dict() for run in runs]))
        problem = runs[0].problem
        shape = (8, problem.in_channels, problem.height, problem.width)
        np.save(tmp_path / "pool.npy", np.random.default_rng(1).integers(1, 256, shape, dtype=np.uint8))
        return tmp_path / "runs.json", tmp_path / "pool.npy"

    return write


@pytest.mark.parametrize("ranks", [1, thorough(2), 3, thorough(5)])
def test_runs_pass_the_check_and_say_how_they_went(
    ranks: int, mpirun: Callable[..., Any], inputs: Callable[..., tuple[Path, Path]]
) -> None:
    runs = [make_run(ranks), make_run(ranks, options={"in_place": True}), make_run(ranks, backend="naive", warmups=0)]
    if ranks == 1:
        runs.append(make_run(1, "serial"))
    for run, measurement in zip(runs, mpirun(ranks, "measurements.py", *inputs(*runs)), strict=True):
        check_shape(measurement, MEASUREMENT_SHAPE, "measurement")
        assert measurement["run_id"] == run.run_id
        assert measurement["check"]["passed"]
        assert measurement["check"]["repeats_checked"] == run.warmups + run.repeats
        assert measurement["check"]["rows_checked"] == PROBLEM.batch * 4 * PROBLEM.out_height
        assert 0 < measurement["check"]["worst_error_over_tolerance"] < 0.5
        assert len(measurement["warmup_repeats"]) == run.warmups
        assert len(measurement["repeats"]) == run.repeats
        assert sum(block["output_elements"] for block in measurement["blocks"]) == PROBLEM.y_elements
        for repeat in measurement["repeats"]:
            look_at_times(repeat, ranks)
        look_at_calls(measurement, run)
        look_at_machine(measurement, ranks)


@pytest.mark.parametrize("ranks", [1, thorough(3)])
def test_in_a_window_every_backend_convolves_pieces_that_do_not_move(
    ranks: int, mpirun: Callable[..., Any], inputs: Callable[..., tuple[Path, Path]]
) -> None:
    options = {"in_window": True, "chunk_bytes": 1}
    runs = [make_run(ranks, "pipeline", backend=backend, options=options) for backend in backends.names_on_cpu()]
    for run, measurement in zip(runs, mpirun(ranks, "measurements.py", *inputs(*runs)), strict=True):
        assert measurement["check"]["passed"]
        assert measurement["check"]["rows_checked"] == PROBLEM.batch * 4 * PROBLEM.out_height
        for repeat in measurement["repeats"]:
            look_at_times(repeat, ranks)
        for rank in range(ranks):
            calls = [call for call in measurement["mpi_calls"] if call["rank"] == rank]
            moved = (ranks - 1 if rank == 0 else 1) * PROBLEM.w_bytes * run.repeats
            assert sum(call["bytes"] for call in calls) == moved


def look_at_times(repeat: dict[str, Any], ranks: int) -> None:
    assert repeat["total_s"] >= repeat["forward_s"] >= repeat["convolve_s"] > 0
    assert len(repeat["ranks"]) == ranks
    assert repeat["convolve_s"] == max(rank["phases_s"]["convolve"] for rank in repeat["ranks"])
    assert repeat["total_s"] == max(rank["app_s"] for rank in repeat["ranks"])
    for rank in repeat["ranks"]:
        assert rank["app_s"] == pytest.approx(sum(rank["phases_s"][phase] for phase in PHASES) + rank["wait_s"])
        assert 0 <= rank["convolve_cpu_s"] <= rank["cpu_s"]
        assert len(rank["yardstick_flops_per_s"]) == 2
        assert min(rank["yardstick_flops_per_s"]) > 0
        assert 0 <= rank["mpi_s"] <= rank["app_s"]


def look_at_calls(measurement: dict[str, Any], run: Run) -> None:
    """Sent bytes equal received bytes, and are what the footprint says."""
    calls = measurement["mpi_calls"]
    if run.movement == "serial":
        assert calls == []  # no MPI call between load and answer
        return
    sent = sum(call["bytes"] for call in calls if call["rank"] == 0)
    received = sum(call["bytes"] for call in calls if call["rank"] > 0)
    everything = PROBLEM.x_bytes + PROBLEM.y_bytes
    own = measurement["blocks"][0]["batch"][1] * (PROBLEM.x_image_bytes + PROBLEM.y_image_bytes)
    assert sent == received == run.repeats * (everything - own + (run.ranks - 1) * PROBLEM.w_bytes)
    assert {call["call"] for call in calls} == {"Bcast", "Scatterv", "Gatherv", "Barrier"}
    assert all(call["count"] == run.repeats for call in calls if call["call"] != "Barrier")


def look_at_machine(measurement: dict[str, Any], ranks: int) -> None:
    (machine,) = measurement["machines"]
    assert machine["memory_bytes"] == psutil.virtual_memory().total
    assert machine["mpi"].startswith("Open MPI")
    assert sorted(place["rank"] for place in machine["rank_placement"]) == list(range(ranks))
    for memory in measurement["memory"]:
        assert memory["peak_rss_bytes"] >= 2**20
        assert "convolve" in memory["rss_after_phase_bytes"]
    agreement = measurement["clock_agreement"]
    assert agreement["wtime_s"] == pytest.approx(agreement["monotonic_s"], rel=0.01)


@pytest.mark.parametrize("ranks", [2, thorough(3)])
def test_wrong_programs_are_caught(
    ranks: int, mpirun: Callable[..., Any], inputs: Callable[..., tuple[Path, Path]]
) -> None:
    problem = Problem(ranks * ranks, 3, 3, 24, 26, 3)  # N = 2, B = 4: equal images would hide the slip
    checks = mpirun(ranks, "broken.py", *inputs(make_run(ranks, problem=problem)))
    assert checks.pop("honest")["passed"]
    assert len(checks) == 4
    for fault, check in checks.items():
        assert not check["passed"], fault
        assert check["worst_error_over_tolerance"] > 1, fault


@pytest.mark.thorough  # some gigabytes, and a minute
def test_more_than_2_to_31_elements_are_scattered_and_gathered(mpirun: Callable[..., Any]) -> None:
    if psutil.virtual_memory().available < 6 * 2**30:
        pytest.skip("needs 6 GiB of free memory for 2.3 GB of images at the root and as much in the blocks")
    found = mpirun(2, "many_elements.py")
    assert found["elements"] > 2**31
    assert found["received"] == [[*range(1, 13)] * 2, [*range(13, 24)] * 2]
    assert found["ends"] == [[number + 101] * 2 for number in range(23)]


@pytest.fixture
def nine_channels(tmp_path: Path) -> Path:
    """The pool of the program pairs.py."""
    pool = tmp_path / "pool.npy"
    np.save(pool, np.random.default_rng(1).integers(1, 256, (8, 9, 20, 19), dtype=np.uint8))
    return pool


@pytest.mark.parametrize("ranks", [1, *map(thorough, (2, 3, 4, 5, 6, 8))])
def test_every_movement_works_with_every_grid(ranks: int, mpirun: Callable[..., Any], nine_channels: Path) -> None:
    found = mpirun(ranks, "pairs.py", nine_channels)
    assert found["wrong"] == []
    assert found["done"] >= {1: 17, 2: 17 * 7, 3: 17 * 7, 4: 17 * 7}.get(ranks, 17 * 7 // 2)


def test_every_movement_works_where_the_batch_is_cut(mpirun: Callable[..., Any], nine_channels: Path) -> None:
    assert mpirun(3, "pairs.py", nine_channels, 1) == {"wrong": [], "done": 17}
