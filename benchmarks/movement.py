"""How fast each movement is on B = 80 of the paper's problem, against the paper's scheme in C and torch.

One run on this machine, contenders interleaved, one mpirun a contender and round. images/s rest on
`forward_s` (`total_s` for movements that stream), the C scheme's on broadcast to gather, torch's on one
process with two threads and no movement at all. Writes a table and benchmarks/results/movement.json.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.instruments.machine import describe, mpi_version
from workload.record.files import write_json
from workload.record.run import Images, Run

PROBLEM = Problem(80, 3, 3, 1024, 1024, 3)
RANKS = (2, 4, 8)
MOVEMENTS = ("scatter-gather", "tree", "pipeline", "pipeline in window", "shared", "distributed")
BACKENDS = ("simd", "numpy")
ROUNDS = 3
REPEATS = 3
RESULT = Path(__file__).parent / "results/movement.json"
BIN = Path(sys.executable).parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def mpirun(ranks: int, command: list[str]) -> str:
    """What the ranks print. Raises CalledProcessError with their output."""
    root = ["--allow-run-as-root"] if os.geteuid() == 0 else []
    place = ["--map-by", ":OVERSUBSCRIBE", "--bind-to", "none"]
    mca = {"btl": "self,sm", "pml": "ob1", "osc": "^ucx"}
    if ranks > (os.cpu_count() or 1):
        mca["mpi_yield_when_idle"] = "1"
    flags = [word for name, value in mca.items() for word in ("--mca", name, value)]
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run(
        [str(BIN / "mpirun"), *root, "-n", str(ranks), *place, *flags, *command],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def workload(folder: Path, ranks: int, movement: str, backend: str) -> tuple[list[float], int]:
    """Seconds of each timed repeat, and the root's peak in bytes. `movement` may name a switch, `in window`."""
    movement, _, switch = movement.partition(" ")
    run = Run(
        problem=PROBLEM,
        ranks=ranks,
        nodes=1,
        ranks_per_node=ranks,
        binding="none",
        threads=1,
        grid=Grid(batch=ranks),
        movement=movement,
        backend=backend,
        images=Images("synthetic", ""),
        weights="random",
        seed=1,
        warmups=1,
        repeats=REPEATS,
        save=False,
        launch=0,
        options={switch.replace(" ", "_"): True} if switch else {},
    )
    write_json(folder / "run.json", {"schema_version": 1, "run": run.as_dict()})
    paths = [*("--run", folder / "run.json"), *("--record", folder / "out.json"), *("--images", folder / "pool.npy")]
    mpirun(ranks, [sys.executable, "-m", "mpi4py", "-m", "workload", *map(str, paths)])
    measurement = json.loads((folder / "out.json").read_text())
    if not measurement["check"]["passed"]:
        raise RuntimeError(f"{movement} with {backend} on {ranks} ranks gave a wrong answer")
    return [repeat["forward_s"] for repeat in measurement["repeats"]], measurement["memory"][0]["peak_rss_bytes"]


def c_scheme(program: Path, ranks: int) -> tuple[list[float], int]:
    sizes = [*PROBLEM.x_shape[:2], PROBLEM.out_channels, *PROBLEM.x_shape[2:], PROBLEM.kernel_size, REPEATS]
    lines = mpirun(ranks, [str(program), *map(str, sizes)]).split("\n")
    if float(lines[-3].split()[1]) > 1e-4:
        raise RuntimeError(f"the C scheme gave a wrong answer: {lines[-3]}")
    return [float(line) for line in lines[:-3]], int(lines[-2].split()[1])


def torch_two_threads() -> tuple[list[float], int] | None:
    """One process, two threads, all images in memory; None where torch is not installed."""
    program = (
        "import resource, time, torch; torch.set_num_threads(2)\n"
        f"x = torch.rand{PROBLEM.x_shape}.contiguous(memory_format=torch.channels_last)\n"
        f"w = torch.rand{PROBLEM.w_shape}\n"
        "with torch.inference_mode():\n"
        "    torch.nn.functional.conv2d(x, w)\n"
        f"    for _ in range({REPEATS}):\n"
        "        begun = time.monotonic(); y = torch.nn.functional.conv2d(x, w); print(time.monotonic() - begun)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    python = os.environ.get("BENCH_PYTHON", sys.executable)
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    *times, peak = done.stdout.split()
    return [float(each) for each in times], int(peak)


def main() -> None:
    times: dict[tuple[str, int], list[float]] = {}
    peaks: dict[tuple[str, int], int] = {}

    def add(contender: str, ranks: int, found: tuple[list[float], int] | None) -> None:
        if found is None:
            return
        times.setdefault((contender, ranks), []).append(statistics.median(found[0]))
        peaks[contender, ranks] = max(found[1], peaks.get((contender, ranks), 0))
        print(f"{contender:>22} {ranks} ranks: {PROBLEM.batch / statistics.median(found[0]):8.1f} images/s", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shape = (8, PROBLEM.in_channels, PROBLEM.height, PROBLEM.width)
        np.save(folder / "pool.npy", np.random.default_rng(1).integers(1, 256, shape, dtype=np.uint8))
        source = Path(__file__).parent / "c_scheme.c"
        build = [str(BIN / "mpicc"), "-O3", "-march=native", str(source), "-o", str(folder / "c_scheme"), "-lm"]
        subprocess.run(build, check=True)
        for _ in range(ROUNDS):
            for ranks in RANKS:
                for movement in MOVEMENTS:
                    for backend in BACKENDS:
                        add(f"{movement}-{backend}", ranks, workload(folder, ranks, movement, backend))
                add("c-scheme", ranks, c_scheme(folder / "c_scheme", ranks))
            add("torch-two-threads", 1, torch_two_threads())

    cases: list[dict[str, Any]] = [
        {
            "contender": contender,
            "ranks": ranks,
            "images_per_s": PROBLEM.batch / statistics.median(seconds),
            "median_s": statistics.median(seconds),
            "launches_s": seconds,
            "root_peak_bytes": peaks[contender, ranks],
        }
        for (contender, ranks), seconds in times.items()
    ]
    machine = describe(mpi_version())
    date = time.strftime("%Y-%m-%d", time.gmtime())
    RESULT.parent.mkdir(exist_ok=True)
    write_json(RESULT, {"schema_version": 1, "date": date, "machine": machine, "cases": cases})
    print_table(cases)


def print_table(cases: list[dict[str, Any]]) -> None:
    print(f"\n{'contender':>22} {'ranks':>5} {'images/s':>9} {'x C scheme':>10} {'root peak MiB':>13}")
    scheme = {case["ranks"]: case["images_per_s"] for case in cases if case["contender"] == "c-scheme"}
    for case in sorted(cases, key=lambda each: (each["ranks"], -each["images_per_s"])):
        against = case["images_per_s"] / scheme.get(case["ranks"], scheme[2])
        peak = case["root_peak_bytes"] / 2**20
        print(f"{case['contender']:>22} {case['ranks']:5} {case['images_per_s']:9.1f} {against:10.1f} {peak:13.0f}")


if __name__ == "__main__":
    main()
