"""Whole, valid sweep folders from known laws: every number in them is derived from the run, none is typed in."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from results.records.sweep import RecordedSweep, read_sweep
from results.scaling.laws import amdahl, gustafson
from workload.domain.footprint import predict
from workload.domain.grid import AXES, Grid, block_of, output_elements
from workload.domain.problem import Problem
from workload.record.files import read_json, write_json
from workload.record.outcomes import OK, WRONG_ANSWER
from workload.record.run import Images, Run, Workload
from workload.record.schema import PHASES, SCHEMA_VERSION

SMALL = Problem(batch=16, in_channels=3, out_channels=3, height=64, width=64, kernel_size=3)
DIGEST = "d" * 64
FRACTION = 0.95  # parallel fraction of the synthetic machine
IMAGE_S = 0.004  # one image on one rank
BASELINE = 80 * 2**20  # a rank's bytes before its arrays


def forward_law(run: Run) -> float:
    """Seconds: Amdahl's law at FRACTION over the work of the batch."""
    return IMAGE_S * run.problem.batch / amdahl(FRACTION, run.ranks)


def weak_law(run: Run) -> float:
    """Seconds: a one-rank share slowed so that the scaled speedup is Gustafson's at FRACTION."""
    share_s = IMAGE_S * run.problem.batch / run.ranks
    return share_s * run.ranks / gustafson(FRACTION, run.ranks)


@dataclass
class SweepMaker:
    """Builds records into a sweep folder; `slots` of its one node go to the inventory."""

    folder: Path
    slots: int = 4
    noise: float = 0.02
    seed: int = 1
    study: str = "quick"
    profile: str = "local"
    node: str = "node1"
    boot: str = "boot-1"
    sequence: int = 0
    series: dict[str, str] = field(default_factory=dict)

    def run(self, **changes: Any) -> Run:
        values: dict[str, Any] = {
            "problem": SMALL, "ranks": 1, "nodes": 1, "binding": "none", "threads": 1,
            "movement": "scatter-gather", "backend": "numpy", "images": Images("sample", "a" * 64),
            "weights": "random", "seed": 1, "warmups": 1, "repeats": 3, "save": False, "launch": 0,
            "workload": Workload("convolution", DIGEST, "c" * 40, False),
        }  # fmt: skip
        values.update(changes)
        if "batch" in values:
            values["problem"] = replace(values["problem"], batch=values.pop("batch"))
        values.setdefault("ranks_per_node", values["ranks"])
        values.setdefault("grid", Grid(batch=values["ranks"]))
        return Run(**values)

    def add(
        self,
        series: str,
        scaling: str = "strong",
        law: Callable[[Run], float] = forward_law,
        outcome: str = OK,
        change: Callable[[dict[str, Any]], None] | None = None,
        **changes: Any,
    ) -> dict[str, Any]:
        """Writes one record whose forward times follow `law`; `change` may edit it before it is written."""
        self.series[series] = scaling
        run = self.run(**changes)
        path = self.folder / "records" / f"{run.run_id}.json"
        if path.exists():  # a run that two series want is done once
            record: dict[str, Any] = read_json(path)
            record["series"] = sorted({*record["series"], series})
            write_json(path, record)
            return record
        self.sequence += 1
        record = self.finished(run, law) if outcome in (OK, WRONG_ANSWER) else self.unfinished(run)
        record |= {
            "schema_version": SCHEMA_VERSION, "run_id": run.run_id, "run": run.as_dict(), "series": [series],
            "launch": run.launch, "sequence": self.sequence, "attempt": 1, "outcome": outcome,
            "reason": "" if outcome == OK else f"made {outcome}", "exit_status": 0 if outcome == OK else 1,
            "started_utc": "2026-01-01T00:00:00+00:00", "ended_utc": "2026-01-01T00:00:05+00:00",
            "log_tail": "" if outcome == OK else "last words of the run",
            "predicted": {"peak_bytes": list(predict(run.problem, run.grid, _movement(run)).peak_bytes),
                          "moved_bytes": predict(run.problem, run.grid, _movement(run)).moved_bytes},
            "evidence": {"oom_kills": {}, "signal": None, "exception": None, "lost_nodes": []},
        }  # fmt: skip
        if change is not None:
            change(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, record)
        return record

    def add_strong(
        self, series: str = "strong", counts: tuple[int, ...] = (1, 2, 4), launches: int = 3, **k: Any
    ) -> None:
        for launch in range(launches):
            for ranks in counts:
                self.add(series, "strong", ranks=ranks, launch=launch, **k)

    def add_weak(self, series: str = "weak", counts: tuple[int, ...] = (1, 2, 4), launches: int = 3, **k: Any) -> None:
        for launch in range(launches):
            for ranks in counts:
                self.add(series, "weak", weak_law, ranks=ranks, batch=4 * ranks, launch=launch, **k)

    def finished(self, run: Run, law: Callable[[Run], float]) -> dict[str, Any]:
        """What a measurement adds; noise is log-normal between launches, a tenth of it between repeats."""
        rng = random.Random(f"{self.seed} {run.run_id}")  # noqa: S311  # noise, not secrets
        launch_s = law(run) * rng.lognormvariate(0.0, self.noise)
        repeats = [_repeat(run, launch_s * rng.lognormvariate(0.0, self.noise / 10)) for _ in range(run.repeats + 1)]
        peaks = predict(run.problem, run.grid, _movement(run)).peak_bytes
        machine = {
            "node": self.node, "boot_id": self.boot, "cpu_model": "Synthetic CPU", "cores": 8, "threads": 16,
            "memory_bytes": 2**34, "cgroup_memory_bytes": None, "kernel": "6.1", "python": "3.11.7",
            "numpy": "2.4.6", "mpi": "Open MPI v5.0.11", "blas": "openblas 0.3", "load_1m": 0.1, "steal_s": 0.0,
            "rank_placement": [{"rank": rank, "core": rank % 8, "hwthread": rank % 16} for rank in range(run.ranks)],
        }  # fmt: skip
        return {
            "warmup_repeats": repeats[:1],
            "repeats": repeats[1:],
            "memory": [_memory(rank, peak) for rank, peak in enumerate(peaks)],
            "blocks": [_block(run, rank) for rank in range(run.ranks)],
            "mpi_calls": [
                {"rank": rank, "call": call, "count": 3, "bytes": 1000, "time_s": 0.001 * (rank + 1)}
                for rank in range(run.ranks if run.movement != "serial" else 0)
                for call in ("Scatterv", "Gatherv")
            ],
            "check": {
                "repeats_checked": run.repeats + 1, "rows_checked": 100, "worst_error_over_tolerance": 0.015,
                "detectable_abs_error": 2.5e-4, "spots": 24, "spot_max_abs_error": 1e-6, "passed": True,
            },
            "machines": [machine],
            "clock_agreement": {"wtime_s": 10.0, "monotonic_s": 10.0},
        }  # fmt: skip

    @staticmethod
    def unfinished(_run: Run) -> dict[str, Any]:
        lists = ("warmup_repeats", "repeats", "memory", "blocks", "mpi_calls", "machines")
        return {**{name: [] for name in lists}, "check": {}, "clock_agreement": {}}

    def read(self) -> RecordedSweep:
        """Writes study and inventory, then reads the folder back."""
        self.finish()
        return read_sweep(self.folder)

    def finish(self) -> Path:
        lines = [f'schema_version = 1\nname = "{self.study}"\n']
        lines += [f'[[series]]\nname = "{name}"\nscaling = "{scaling}"\n' for name, scaling in self.series.items()]
        (self.folder / "study.toml").write_text("".join(lines))
        node = {"name": self.node, "address": "127.0.0.1", "slots": self.slots, "memory_bytes": 2**34}
        inventory = {"schema_version": SCHEMA_VERSION, "cluster": "local", "profile": self.profile, "nodes": [node]}
        write_json(self.folder / "inventory.json", inventory)
        return self.folder

    def planned(self, *run_ids: str) -> None:
        """A ledger that plans these runs and was cut off in its second line."""
        event = {"schema_version": SCHEMA_VERSION, "event": "planned", "runs": run_ids}
        (self.folder / "ledger.jsonl").write_text(json.dumps(event) + '\n{"event": "star')


def _movement(run: Run) -> str:
    return "serial" if run.movement == "serial" else "scatter-gather"


def _repeat(run: Run, forward_s: float) -> dict[str, Any]:
    serial = run.movement == "serial"
    load_s, save_s = 0.1 * forward_s, 0.0
    ranks = []
    for rank in range(run.ranks):
        moving = 0.0 if serial else (0.15 if rank == 0 else 0.1)
        phases = dict.fromkeys(PHASES, 0.0) | {
            "load": load_s if rank == 0 else 0.0,
            "distribute": moving * forward_s,
            "convolve": (0.5 + 0.1 * rank / run.ranks) * forward_s,
            "collect": moving * forward_s,
            "save": save_s,
        }
        app_s = 1.1 * forward_s
        wait_s = app_s - sum(phases.values())
        ranks.append(
            {"rank": rank, "phases_s": phases, "wait_s": wait_s, "app_s": app_s, "mpi_s": 2 * moving * forward_s,
             "cpu_s": 0.98 * app_s, "convolve_cpu_s": phases["convolve"], "yardstick_flops_per_s": [1e9, 1e9]}
        )  # fmt: skip
    convolve_s = max(rank["phases_s"]["convolve"] for rank in ranks)
    return {"total_s": 1.1 * forward_s, "forward_s": forward_s, "convolve_s": convolve_s, "streamed": False,
            "memory_bound": False, "ranks": ranks}  # fmt: skip


def _memory(rank: int, peak: int) -> dict[str, Any]:
    return {"rank": rank, "peak_rss_bytes": peak, "pss_bytes": None, "rss_after_phase_bytes": {},
            "baseline_rss_bytes": BASELINE, "major_faults": 0, "swap_bytes": 0}  # fmt: skip


def _block(run: Run, rank: int) -> dict[str, Any]:
    spans = block_of(run.problem, run.grid, rank).as_dict()
    assert tuple(spans) == AXES
    return {"rank": rank, **spans, "output_elements": output_elements(run.problem, run.grid, rank)}


@pytest.fixture
def maker(tmp_path: Path) -> SweepMaker:
    """An empty sweep folder to add records to."""
    return SweepMaker(tmp_path / "sweep")


@pytest.fixture
def make_maker(tmp_path: Path) -> Callable[..., SweepMaker]:
    """Makes makers of further folders: make_maker("name", slots=2)."""
    return lambda name, **options: SweepMaker(tmp_path / name, **options)


@pytest.fixture
def full(maker: SweepMaker) -> SweepMaker:
    """Strong with a serial baseline, oversubscribed and failed points; weak; a lost last point."""
    maker.add_strong(counts=(1, 2, 4, 8))
    maker.add_strong(counts=(1,), movement="serial")
    maker.add("strong", ranks=16, outcome="skipped")
    maker.add_weak()
    maker.add("weak", "weak", ranks=8, batch=32, outcome="out_of_memory")
    maker.finish()
    return maker
