"""Stands for `-m workload` where a test needs a run that fails in a known way; its first argument says which."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from mpi4py import MPI

from workload.domain.grid import block_of, output_elements
from workload.record.run import Run
from workload.record.schema import PHASES, SCHEMA_VERSION


def measurement(run: Run) -> dict[str, object]:
    """A whole measurement, as rank 0 would write it."""
    times = {"phases_s": dict.fromkeys(PHASES, 0.01), "wait_s": 0.0, "app_s": 0.1, "mpi_s": 0.01}
    times |= {"cpu_s": 0.1, "convolve_cpu_s": 0.05, "yardstick_flops_per_s": [1e9, 1e9]}
    repeat = {"total_s": 0.2, "forward_s": 0.1, "convolve_s": 0.05, "streamed": False, "memory_bound": False}
    repeat["ranks"] = [{"rank": rank, **times} for rank in range(run.ranks)]
    memory = {"peak_rss_bytes": 2, "pss_bytes": 2, "rss_after_phase_bytes": {}, "baseline_rss_bytes": 1}
    memory |= {"major_faults": 0, "swap_bytes": 0}
    blocks = [
        {
            "rank": rank,
            **block_of(run.problem, run.grid, rank).as_dict(),
            "output_elements": output_elements(run.problem, run.grid, rank),
        }
        for rank in range(run.ranks)
    ]
    check = {"repeats_checked": 1, "rows_checked": 1, "worst_error_over_tolerance": 0.01, "detectable_abs_error": 1e-6}
    check |= {"spots": 1, "spot_max_abs_error": 1e-7, "passed": True}
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run.run_id,
        "run": run.as_dict(),
        "warmup_repeats": [],
        "repeats": [repeat],
        "memory": [{"rank": rank, **memory} for rank in range(run.ranks)],
        "blocks": blocks,
        "mpi_calls": [],
        "check": check,
        "machines": [{"node": os.uname().nodename, "boot_id": "b", "cpu_model": "c", "rank_placement": []}],
        "clock_agreement": {"wtime_s": 1.0, "monotonic_s": 1.0},
    }


def misbehave(behaviour: str, ranks: int, rank: int, arguments: dict[str, str]) -> None:
    """What goes wrong before the measurement is written."""
    if behaviour in ("slow", "slower"):
        time.sleep(2.5 if behaviour == "slow" else 15.0)
    if behaviour == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour in ("hang", "sleep", f"sleep-at-{ranks}"):
        time.sleep(3600)
    if rank != 1:
        return
    if behaviour == "sigkill":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "raise":
        raise RuntimeError("the kernel\0 is broken")
    if behaviour == "allocate":
        hoard = [bytearray(b"x") * 2**26 for _ in range(64)]  # 64 MiB each: 4 GiB
        print(len(hoard))
    if behaviour == "fill-disk":
        fill(Path(arguments["--record"]).parent / "filler")


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            for size in (2**20, 4096, 1):
                while file.write(b"\0" * size) == size:
                    pass
        except OSError:
            return


def leave(behaviour: str, document: dict[str, object]) -> str:
    """The text of the measurement's file."""
    if behaviour == "other-run":
        document["run_id"] = "0" * 16
    if behaviour == "wrong-answer":
        document["check"] |= {"passed": False, "worst_error_over_tolerance": 17.0}
    if behaviour == "noisy" and document["run"]["problem"]["batch"] > 2:  # every other launch takes twice as long
        for repeat in document["repeats"]:
            repeat["forward_s"] *= 1 + document["run"]["launch"] % 2
    if behaviour == "wrong-shape":
        del document["memory"]
    text = json.dumps(document)
    return text[: len(text) // 2] if behaviour == "truncated" else text


def main() -> None:
    behaviour = sys.argv[1]
    arguments = dict(zip(sys.argv[2::2], sys.argv[3::2], strict=True))
    comm = MPI.COMM_WORLD
    document = json.loads(Path(arguments["--run"]).read_text()) if comm.rank == 0 else None
    run = Run.from_dict(comm.bcast(document)["run"])
    misbehave(behaviour, run.ranks, comm.rank, arguments)
    comm.barrier()
    if comm.rank == 0:
        Path(arguments["--record"]).write_text(leave(behaviour, measurement(run)))


main()
