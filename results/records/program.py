"""How results see a person's own program: lines by its parameters, the headline metric in the place of a clock.

A metric of which less is better is taken as a time, whatever its unit. One of which more is better is a rate: what
stands in its place is the work over it, so that speedups, laws and intervals are the same; tables show the rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from results.estimates import Estimate
from results.records.experiment import RecordedExperiment, Variant, Work
from results.records.measurement import Measured, RankMemory, RankRepeat, Repeat
from workload.record.digest import canonical_json
from workload.record.outcomes import OK
from workload.record.program import WALL, ProgramRun
from workload.record.schema import SchemaError

PARTS = ("user", "system", "waiting")
PART_WORDS = {
    "user": "user time (which holds MPI that polls for messages)",
    "system": "kernel time",
    "waiting": "time without a processor",
}


class RecordedProgram(RecordedExperiment):
    """What results need to know of a program, of which `name` is the headline metric."""

    variant_words = "parameters"
    size_key = "parameters"
    size_symbol = "size"
    parts = PARTS
    part_words = PART_WORDS
    own_software = ("mpi",)
    parallel_fraction = None
    peak_since = ""
    probed = False
    smallest_baseline = True

    def __init__(self, name: str = WALL, unit: str = "s", *, higher: bool = False) -> None:
        self.name, self.unit, self.headline_is_rate = name, unit, higher
        self.clocks = ("headline_s",) if name == WALL else ("headline_s", "total_s")

    def measured(self, record: Mapping[str, Any], run: ProgramRun) -> Measured:
        # the kernel tells the peak of a rank at its end
        memory = tuple(RankMemory(item["rank"], item["peak_rss_bytes"], None, 0) for item in record["ranks"])
        return Measured(_repeat(record, run), memory, document=record)

    def seen(self, run: Any) -> RecordedProgram:
        headline = run.headline
        return (
            _of(WALL, "s", False) if headline is None else _of(headline["name"], headline["unit"], headline["higher"])
        )

    @property
    def headline_word(self) -> str:
        return self.name

    @property
    def headline_phrase(self) -> str:
        return "wall time" if self.name == WALL else self.name

    @property
    def headline_unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def clock_word(self, clock: str) -> str:
        return self.name if clock == self.headline else WALL

    @property
    def headline_header(self) -> str:
        if self.name == WALL:
            return "Wall time (s)"
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def headline_key(self) -> tuple[str, str]:
        return (WALL, "_s") if self.name == WALL else (self.name, "")

    @property
    def clocks_note(self) -> str:
        wall = "wall time is that of the longest rank, from its start to its end by its own node's monotonic clock"
        if self.name == WALL:
            return f"No metric is the headline: {wall}. It holds the start and the end of MPI."
        rate = " More is better: speedups rest on the work over it." if self.headline_is_rate else ""
        return f"{self.name} is what the program itself says; {wall}.{rate}"

    def told(self, time: Estimate | None, work: Work) -> Estimate | None:
        return time if time is None or not self.headline_is_rate else time.inverse(work.amount)

    def title(self, run: Any) -> str:
        return " ".join(run.command)

    def rate_unit(self, run: Any) -> str:
        return self.headline_unit if self.headline_is_rate else super().rate_unit(run)

    def rated(self, run: Any) -> bool:
        return self.headline_is_rate or bool(run.states_size)

    def lineage(self, run: Any) -> str:
        headline = run.headline or {}
        told = [headline.get("name"), headline.get("pattern"), headline.get("file")]
        # what is made of templates differs from point to point
        return canonical_json([self.variant(run).key, run.files.partition("+")[0], told])

    def variant(self, run: Any) -> Variant:
        names = {
            name: str(run.ranks_per_node if name == "ranks_per_node" else run.parameters.get(name))
            for name in run.crossed
        } or {"program": run.command[0]}
        phrase = ", ".join(f"{name} {value}" for name, value in names.items())
        key = [run.command, run.definitions, run.threads, run.launcher, run.environment, names]
        return Variant(names, names, phrase if run.crossed else run.command[0], canonical_json(key))

    def size(self, run: Any) -> int:
        return max(1, round(float(run.size)))

    def size_cell(self, run: Any) -> object:
        return ", ".join(f"{name} = {value}" for name, value in run.parameters.items()) or "none"

    def size_text(self, run: Any) -> str:
        return str(self.size_cell(run)) if run.parameters else "no parameters"

    def problem(self, run: Any) -> tuple[object, ...]:
        return (run.command, canonical_json(run.parameters))

    def family(self, run: Any) -> tuple[object, ...]:
        return (run.command, canonical_json(run.definitions))

    def division(self, run: Any) -> tuple[object, ...]:
        return (run.nodes, run.ranks_per_node)

    def work(self, run: Any) -> Work:
        return Work(run.size, "work" if run.states_size else "runs")

    def operations(self, _run: Any) -> None:
        return None

    def shapes(self, run: Any) -> Mapping[str, object]:
        if not run.states_size:
            return {}
        return {"size": f"{run.size:.6g}", "size_per_rank": f"{run.size / run.ranks:.6g}"}

    def settings(self, run: Any) -> Mapping[str, str]:
        return {
            "Command": " ".join(run.command),
            "Started by": run.launcher,
            "Program digest": run.files[:16],
            "Environment": ", ".join(f"{name}={value}" for name, value in run.environment.items()),
            "Success": _success(run),
        }

    def yardstick(self, _run: Any) -> str:
        return ""

    def is_serial(self, _run: Any) -> bool:
        return False

    def why_uncounted(self, _run: Any) -> str:
        return ""


@lru_cache(maxsize=64)
def _of(name: str, unit: str, higher: bool) -> RecordedProgram:
    return RecordedProgram(name, unit, higher=higher)


def _repeat(record: Mapping[str, Any], run: ProgramRun) -> tuple[Repeat, ...]:
    """A run's one measurement as a repeat; none where no rank said what it took. Raises SchemaError."""
    ranks = record["ranks"]
    if not ranks:
        return ()
    times = {item["rank"]: item for item in record["mpi_times"]}
    found = tuple(_rank(item, times.get(item["rank"], {})) for item in ranks)
    wall_s = max(rank.app_s for rank in found)
    headline_s = _headline_s(record, run, wall_s)
    return (Repeat(wall_s, wall_s, wall_s, False, False, found, headline_s),)


def _rank(item: Mapping[str, Any], times: Mapping[str, Any]) -> RankRepeat:
    wall_s, user_s, system_s = (_finite(item[name], name) for name in ("wall_s", "user_s", "system_s"))
    parts = {"user": user_s, "system": system_s, "waiting": max(0.0, wall_s - user_s - system_s)}
    mpi_s = _finite(times.get("mpi_s", 0.0), "mpi_s")
    profiled_s = _finite(times["app_s"], "app_s") if "app_s" in times else None
    return RankRepeat(item["rank"], parts, wall_s, mpi_s, user_s + system_s, user_s, None, profiled_s)


def _headline_s(record: Mapping[str, Any], run: ProgramRun, wall_s: float) -> float:
    headline = run.headline
    if headline is None:
        return wall_s
    value = next((item["value"] for item in record["metrics"] if item["name"] == headline["name"]), None)
    if value is None:
        if record["outcome"] == OK:
            raise SchemaError(f"outcome is ok, but it has no {headline['name']}")
        return wall_s
    if not 0.0 < float(value) < math.inf:
        if record["outcome"] == OK:
            raise SchemaError(f"{headline['name']} = {value} is no positive number")
        return wall_s
    return run.size / value if headline["higher"] else float(value)


def _finite(value: Any, name: str) -> float:
    if not 0.0 <= float(value) < math.inf:
        raise SchemaError(f"{name} = {value} is no time in seconds")
    return float(value)


def _success(run: Any) -> str:
    told = [f"{run.success['pattern']!r} printed"] if run.success.get("pattern") else []
    return "; ".join([*told, *run.success.get("require", [])])
