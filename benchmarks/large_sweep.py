"""What a large sweep costs its reader: the report of 2,000 records of 16 ranks, planning 2,000 points, resuming them.

    python -m benchmarks.large_sweep [--records N]

The records are made from the recorded ones of results/measured/16-core: `launches`, seven points with many launches
each, and `sizes`, another batch in every record. Each step is a process of its own on at most two cores. Prints its
wall and CPU seconds, its peak memory and the size of the page.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path as well as by its name

from orchestration.clusters.inventory import read as read_inventory
from orchestration.experiments.convolution import plan, study
from orchestration.experiments.convolution.plan import ConvolutionContext
from orchestration.jobs.launchers.placement import NodeCpus
from orchestration.paths import SweepPaths
from orchestration.planning.plan import Plan
from orchestration.sweep import resume
from workload.domain.grid import block_of, output_elements
from workload.movement.descriptions.footprint import Footprint, predict
from workload.record.files import read_json
from workload.record.run import Images, Run, Workload
from workload.record.schema import SCHEMA_VERSION

ROOT = Path(__file__).parents[1]
FAB = ROOT / ".venv" / "bin" / "fab"
MEASURED = ROOT / "results" / "measured" / "16-core"
RANKS = 16
NOISE = 0.02  # of the times of a launch, log-normal
RUN_S = 600  # from the start of a run to the start of the next
Record = dict[str, Any]


def make_launches(folder: Path, records: int) -> None:
    """The study movements, its points of 16 ranks with so many launches that there are at least `records` records."""
    found = _recorded("movements")
    large = [record for record in found if record["run"]["ranks"] == RANKS and record["run"]["launch"] == 0]
    made = [record for record in found if record["run"]["ranks"] < RANKS]
    for launch in range(-(-records // len(large))):
        made += [_rescaled(record, launch, record["run"]["problem"]["batch"]) for record in large]
    _write(folder, made, (MEASURED / "movements" / "study.toml").read_text())


def make_sizes(folder: Path, records: int) -> None:
    """One size series of scatter-gather at 16 ranks: so many batches, one launch each."""
    (first, *_) = (record for record in _recorded("paper-simd") if record["run"]["ranks"] == RANKS)
    made = [_rescaled(first, 0, RANKS + more) | {"series": ["sizes"]} for more in range(records)]
    _write(folder, made, 'schema_version = 1\nname = "sizes"\n[[series]]\nname = "sizes"\nscaling = "size"\n')


SHAPES: dict[str, Callable[[Path, int], None]] = {"launches": make_launches, "sizes": make_sizes}


def _recorded(name: str) -> list[Record]:
    return [read_json(path) for path in sorted((MEASURED / name / "records").glob("*.json"))]


def _rescaled(record: Record, launch: int, batch: int) -> Record:
    """The record as another launch or with another batch: times and bytes grow with the batch."""
    made = copy.deepcopy(record)
    scale = batch / record["run"]["problem"]["batch"]
    made["run"]["launch"] = made["launch"] = launch
    made["run"]["problem"]["batch"] = batch
    run = Run.from_dict(made["run"])
    made["run_id"] = run.run_id
    noise = random.Random(run.run_id).lognormvariate(0.0, NOISE)  # noqa: S311  # noise, no secret
    for repeat in (*made["warmup_repeats"], *made["repeats"]):
        _slow(repeat, scale * noise)
    foreseen = predict(run.problem, run.grid, run.movement, run.options, run.ranks_per_node)
    made["predicted"] = {"peak_bytes": list(foreseen.peak_bytes), "moved_bytes": foreseen.moved_bytes}
    if scale != 1.0:
        _resize(made, run, foreseen, scale)
    return made


def _slow(values: Record, factor: float) -> None:
    """Multiplies every time in seconds, at any depth."""
    for key, value in values.items():
        if key == "ranks":
            for rank in value:
                _slow(rank, factor)
        elif key == "phases_s":
            values[key] = {name: seconds * factor for name, seconds in value.items()}
        elif key.endswith("_s") and not key.endswith("per_s"):
            values[key] = value * factor


def _resize(made: Record, run: Run, foreseen: Footprint, scale: float) -> None:
    for memory, size in zip(made["memory"], foreseen.array_bytes, strict=True):
        memory["peak_rss_bytes"] = memory["baseline_rss_bytes"] + size
    for rank, block in enumerate(made["blocks"]):
        block.update(block_of(run.problem, run.grid, rank).as_dict())
        block["output_elements"] = output_elements(run.problem, run.grid, rank)
    made["clock_agreement"] = {name: seconds * max(1.0, scale) for name, seconds in made["clock_agreement"].items()}
    for call in made["mpi_calls"]:
        call["bytes"] = round(call["bytes"] * scale)
    moved = 2 * foreseen.moved_bytes * run.repeats  # exactly: batches need not divide evenly
    made["mpi_calls"][0]["bytes"] += moved - sum(call["bytes"] for call in made["mpi_calls"])
    made["check"]["rows_checked"] = run.problem.batch * run.problem.out_channels * run.problem.out_height


def _write(folder: Path, records: list[Record], study: str) -> None:
    (folder / "records").mkdir(parents=True)
    (folder / "study.toml").write_text(study)
    (folder / "inventory.json").write_text((MEASURED / "movements" / "inventory.json").read_text())
    for sequence, record in enumerate(records):
        record |= {"sequence": sequence, "started_utc": _utc(sequence), "ended_utc": _utc(sequence + 0.8)}
        path = folder / "records" / f"{record['run_id']}.json"
        path.write_text(json.dumps(record))
    (folder / "ledger.jsonl").write_text("".join(json.dumps(event) + "\n" for event in _events(records)))


def _events(records: list[Record]) -> Iterator[Record]:
    about = {"schema_version": SCHEMA_VERSION}
    yield {**about, "event": "planned", "utc": _utc(0), "runs": [record["run_id"] for record in records]}
    for record in records:
        own = {**about, "run_id": record["run_id"]}
        yield {**own, "event": "started", "utc": record["started_utc"], "sequence": record["sequence"]}
        yield {**own, "event": "ended", "utc": record["ended_utc"], "outcome": "ok", "reason": ""}


def _utc(sequence: float) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=RUN_S * sequence)).isoformat()


def planned(points: int) -> Plan:
    """The plan of a study of one size series: so many batches on 16 ranks."""
    problem = {"batch": 1, "in_channels": 3, "out_channels": 3, "height": 1024, "width": 1024, "kernel_size": 3}
    batches = [RANKS + more for more in range(points)]
    series = {"name": "sizes", "scaling": "size", "ranks": [RANKS], "batch": batches}
    document = {
        "schema_version": SCHEMA_VERSION,
        "name": "sizes",
        "launches": 1,
        "problem": problem,
        "series": [series],
    }
    inventory = read_inventory(MEASURED / "movements" / "inventory.json")
    context = ConvolutionContext(
        inventory, NodeCpus(RANKS, RANKS), lambda *_: (Images("sample", ""), Path()), Workload()
    )
    return plan.make(study.check(document, "sizes"), "sizes", context)


def resumed(folder: Path) -> int:
    """How many runs of the plan have no record in the folder."""
    done = resume.records(SweepPaths(folder))
    return len(resume.pending(planned(len(done)).runs, done, resume.Flags(), lambda _: None))


def _step(name: str, command: list[str]) -> None:
    """Runs the command on at most two cores and prints what it took."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    begun = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        os.sched_setaffinity(process.pid, cores)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall_s, mib = time.monotonic() - begun, used.ru_maxrss / 1024
    print(f"{name:16} {wall_s:6.1f} s wall {used.ru_utime + used.ru_stime:6.1f} s CPU {mib:6.0f} MiB", flush=True)
    if process.returncode:
        sys.exit(f"{name}: exit status {process.returncode}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", type=int, default=2000, help="records of 16 ranks, and points of the study")
    count = arguments.parse_args().records
    own = [sys.executable, "-c"]
    module = "from pathlib import Path; from benchmarks import large_sweep as own; "
    with tempfile.TemporaryDirectory() as made:
        for shape, make in SHAPES.items():
            folder = Path(made) / shape
            make(folder, count)
            _step(f"report {shape}", [str(FAB), "report", "--sweep", str(folder)])
            print(f"{'':16} page {(folder / 'report.html').stat().st_size / 1e6:.1f} MB")
        _step("plan", [*own, f"{module}own.planned({count})"])
        _step("plan and resume", [*own, f"{module}own.resumed(Path({str(Path(made) / 'sizes')!r}))"])


if __name__ == "__main__":
    main()
