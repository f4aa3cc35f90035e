"""Whole, valid sweep folders from known laws: every number in them is derived from the run, none is typed in."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from results.records.sweep import RecordedSweep, read_sweep
from results.scaling.laws import amdahl, gustafson
from workload.domain.grid import AXES, Grid, block_of, output_elements
from workload.domain.problem import Problem
from workload.movement.descriptions.footprint import predict
from workload.record.files import read_json
from workload.record.outcomes import OK, SKIPPED, WRONG_ANSWER
from workload.record.program import KIND, VERSION, ProgramRun
from workload.record.run import Images, Run, Workload
from workload.record.schema import PHASES, SCHEMA_VERSION

SMALL = Problem(batch=16, in_channels=3, out_channels=3, height=64, width=64, kernel_size=3)
DIGEST = "d" * 64
FRACTION = 0.95  # parallel fraction of the synthetic machine
IMAGE_S = 0.004  # one image on one rank


def write_json(path: Path, document: object) -> None:
    """Neither indented nor synced to the disk, as records are: that takes most of the time of making them."""
    path.write_text(json.dumps(document))


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
            "started_utc": None if outcome == SKIPPED else _utc(20 * self.sequence),
            "ended_utc": None if outcome == SKIPPED else _utc(20 * self.sequence + 12),
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
        predicted = predict(run.problem, run.grid, _movement(run))
        peaks, arrays = predicted.peak_bytes, predicted.array_bytes
        machine = {
            "node": self.node, "boot_id": self.boot, "cpu_model": "Synthetic CPU", "cores": 8, "threads": 16,
            "memory_bytes": 2**34, "cgroup_memory_bytes": None, "kernel": "6.1", "python": "3.11.7",
            "numpy": "2.4.6", "mpi": "Open MPI v5.0.11", "blas": "openblas 0.3", "load_1m": 0.1, "steal_s": 0.0,
            "rank_placement": [{"rank": rank, "core": rank % 8, "hwthread": rank % 16} for rank in range(run.ranks)],
        }  # fmt: skip
        return {
            "warmup_repeats": repeats[:1],
            "repeats": repeats[1:],
            "memory": [_memory(rank, *sizes) for rank, sizes in enumerate(zip(peaks, arrays, strict=True))],
            "blocks": [_block(run, rank) for rank in range(run.ranks)],
            "mpi_calls": [
                {"rank": rank, "call": call, "count": 3, "bytes": part, "time_s": 0.001 * (rank + 1)}
                for rank in range(run.ranks if run.movement != "serial" else 0)
                for call, part in _calls(run, predicted.moved_bytes, rank)
            ],
            "check": {
                "repeats_checked": run.repeats + 1, "rows_checked": _rows(run), "worst_error_over_tolerance": 0.015,
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
        if not (self.folder / "ledger.jsonl").exists():
            self._write_ledger()
        return self.folder

    def _write_ledger(self) -> None:
        """The ledger of the records as they are: planned, each started and ended, finished."""
        records = [read_json(path) for path in (self.folder / "records").glob("*.json")]
        events: list[dict[str, Any]] = [{"event": "planned", "utc": _utc(0), "runs": [r["run_id"] for r in records]}]
        for record in sorted(records, key=lambda record: record["sequence"]):
            at_s, about = 20 * record["sequence"], {"run_id": record["run_id"]}
            if record["outcome"] != SKIPPED:
                events.append({"event": "started", "utc": _utc(at_s), "sequence": record["sequence"], **about})
            events.append(
                {"event": "ended", "utc": _utc(at_s + 12), "outcome": record["outcome"], "reason": "", **about}
            )
        lines = [json.dumps({"schema_version": SCHEMA_VERSION, **event}) + "\n" for event in events]
        (self.folder / "ledger.jsonl").write_text("".join(lines))

    def planned(self, *run_ids: str) -> None:
        """A ledger that plans these runs and was cut off in its second line."""
        event = {"schema_version": SCHEMA_VERSION, "event": "planned", "runs": run_ids}
        (self.folder / "ledger.jsonl").write_text(json.dumps(event) + '\n{"event": "star')


@dataclass
class ProgramSweep:
    """Records of a person's program in a sweep's folder; `metric` is the headline, the wall time where it is None."""

    folder: Path
    metric: dict[str, Any] | None = None
    command: tuple[str, ...] = ("./heat", "{n}")
    sequence: int = 0

    def add(self, ranks: int, wall_s: float, *, mpi_s: float = 0.0, value: float = 0.0, **changes: Any) -> None:
        """One launch whose ranks take `wall_s`, all of it at work in user time, and in MPI for `mpi_s` of it."""
        self.sequence += 1
        run = self.run(ranks, **changes)
        each = [
            {"rank": rank, "node": "node1", "core": rank, "wall_s": wall_s, "user_s": wall_s, "system_s": 0.0,
             "peak_rss_bytes": 2**20, "swap_bytes": 0, "major_faults": 0, "context_switches": [0, 0], "exit_status": 0,
             "signal": None}
            for rank in range(ranks)
        ]  # fmt: skip
        times = [{"rank": rank, "app_s": wall_s, "mpi_s": mpi_s} for rank in range(ranks)] if mpi_s else []
        machine = {"node": "node1", "boot_id": "boot-1", "cpu_model": "Synthetic CPU", "cores": 8, "threads": 8,
                   "kernel": "6.1", "mpi": "Open MPI v4.1.4, started by mpirun", "rank_placement": []}  # fmt: skip
        record = {
            "schema_version": VERSION, "run_id": run.run_id, "run": run.as_dict(), "series": ["strong"],
            "launch": run.launch, "sequence": self.sequence, "attempt": 1, "outcome": OK, "reason": "",
            "exit_status": 0, "started_utc": _utc(20 * self.sequence), "ended_utc": _utc(20 * self.sequence + 12),
            "log_tail": "", "ranks": each, "mpi_times": times, "mpi_calls": [], "kept": [], "machines": [machine],
            "metrics": [{"name": self.metric["name"], "value": value, "matches": 1}] if self.metric else [],
            "check": {"passed": True, "missing": [], "wrong": []},
            "provenance": {"argv": ["./heat"], "files": {}, "libraries": {}, "environment": {}, "mpi": "Open MPI"},
            "predicted": {}, "evidence": {"oom_kills": {}, "signal": None, "exception": None, "lost_nodes": []},
        }  # fmt: skip
        (self.folder / "records").mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "records" / f"{run.run_id}.json", record)

    def run(self, ranks: int, **changes: Any) -> ProgramRun:
        values: dict[str, Any] = {
            "command": self.command, "parameters": {"n": 512}, "definitions": {"n": 512}, "crossed": (), "size": 1.0,
            "states_size": False, "ranks": ranks, "nodes": 1, "ranks_per_node": ranks, "binding": "core", "threads": 1,
            "launcher": "openmpi5", "metrics": (self.metric,) if self.metric else (), "success": {}, "files": "f" * 64,
            "stdin": None, "keep": (), "environment": {}, "launch": 0, "workload": Workload(KIND, DIGEST, None, None),
        }  # fmt: skip
        return ProgramRun(**{**values, **changes})

    def read(self) -> RecordedSweep:
        (self.folder / "study.toml").write_text('name = "heat"\n[[series]]\nname = "strong"\nscaling = "strong"\n')
        node = {"name": "node1", "address": "127.0.0.1", "slots": 8, "memory_bytes": 2**34}
        write_json(self.folder / "inventory.json", {"schema_version": 1, "cluster": "local", "nodes": [node]})
        return read_sweep(self.folder)


def _utc(seconds: int) -> str:
    return (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()


def _rows(run: Run) -> int:
    return run.problem.batch * run.problem.out_channels * run.problem.out_height


def _calls(run: Run, moved_bytes: int, rank: int) -> list[tuple[str, int]]:
    """Calls of a rank with its bytes: what moves counts at both ends, here at the first rank and at the last."""
    ends = (rank == 0) + (rank == run.ranks - 1)
    scattered = moved_bytes // 2
    parts = {"Scatterv": scattered, "Gatherv": moved_bytes - scattered}
    return [(call, ends * run.repeats * part) for call, part in parts.items()]


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


def _memory(rank: int, peak: int, arrays: int) -> dict[str, Any]:
    return {"rank": rank, "peak_rss_bytes": peak, "pss_bytes": None, "rss_after_phase_bytes": {},
            "baseline_rss_bytes": peak - arrays, "major_faults": 0, "swap_bytes": 0}  # fmt: skip


def _block(run: Run, rank: int) -> dict[str, Any]:
    spans = block_of(run.problem, run.grid, rank).as_dict()
    assert tuple(spans) == AXES
    return {"rank": rank, **spans, "output_elements": output_elements(run.problem, run.grid, rank)}


@pytest.fixture(scope="session")
def stats() -> Any:
    """scipy.stats, which takes seconds to import, so that only who needs it does."""
    from scipy import stats as found

    return found


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
    return filled(maker)


def filled(maker: SweepMaker) -> SweepMaker:
    """The sweep of `full`."""
    maker.add_strong(counts=(1, 2, 4, 8))
    maker.add_strong(counts=(1,), movement="serial")
    maker.add("strong", ranks=16, outcome="skipped")
    maker.add_weak()
    maker.add("weak", "weak", ranks=8, batch=32, outcome="out_of_memory")
    maker.finish()
    return maker
