"""A run of a person's own program, and what it measures: records of the kind `program`, schema version 2.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from workload.record.digest import document_digest
from workload.record.run import BINDINGS, MAX_RANKS, Workload
from workload.record.schema import SchemaError, check_shape

KIND = "program"
VERSION = 2
WALL = "wall"  # the headline where no metric is one: wall time of the longest rank, by its parent's monotonic clock

Value = int | float | str
_NUMBER = (int, float)
_OPTIONAL = (int, float, type(None))
_TEXT = (str, type(None))

METRIC_SHAPE: dict[str, Any] = {
    "name": str, "unit": str, "higher": bool, "headline": bool,
    "pattern": _TEXT, "file": _TEXT, "json": _TEXT, "csv": _TEXT,
}  # fmt: skip
RANK_SHAPE: dict[str, Any] = {
    "rank": int, "node": str, "core": (int, type(None)),
    "wall_s": _NUMBER, "user_s": _NUMBER, "system_s": _NUMBER,
    "peak_rss_bytes": int, "swap_bytes": (int, type(None)), "major_faults": int,
    "context_switches": [int], "exit_status": (int, type(None)), "signal": (int, type(None)),
}  # fmt: skip
MEASUREMENT_SHAPE: dict[str, Any] = {
    "schema_version": int,
    "run_id": str,
    "run": dict,
    "metrics": [{"name": str, "value": _NUMBER, "matches": int}],
    "ranks": [RANK_SHAPE],
    "mpi_times": [{"rank": int, "app_s": _NUMBER, "mpi_s": _NUMBER}],
    "mpi_calls": [{"rank": int, "call": str, "count": int, "bytes": int, "time_s": _NUMBER}],
    "check": {"passed": bool, "missing": [str], "wrong": [str]},
    "kept": [{"name": str, "bytes": int, "sha256": str}],
    "machines": [{"node": str, "boot_id": str, "cpu_model": str, "rank_placement": list}],
    "provenance": {"argv": [str], "files": dict, "libraries": dict, "environment": dict, "mpi": str},
}


@dataclass(frozen=True)
class ProgramRun:
    """One launch of a person's program: the command with its placeholders, the parameters' values, where it runs.

    `definitions` are the parameters as the study has them, a list's one item or an expression; `crossed` names those
    that tell lines of one series apart. `size` is the work: as the study states it, else
    as much as there are ranks in a weak series, and 1 in a strong one. `files` is
    the digest of all that is brought to the nodes, `workload` has our own code's and the commit of the program's
    source. Raises ValueError.
    """

    command: tuple[str, ...]
    parameters: Mapping[str, Value]
    definitions: Mapping[str, Value]
    crossed: tuple[str, ...]
    size: float
    states_size: bool
    ranks: int
    nodes: int
    ranks_per_node: int
    binding: str
    threads: int
    launcher: str
    metrics: tuple[Mapping[str, Any], ...]
    success: Mapping[str, Any]
    files: str
    stdin: str | None
    keep: tuple[str, ...]
    environment: Mapping[str, str]
    launch: int
    workload: Workload = field(default_factory=lambda: Workload(kind=KIND))

    def __post_init__(self) -> None:
        limits = {"ranks": MAX_RANKS, "nodes": MAX_RANKS, "ranks_per_node": MAX_RANKS, "threads": 4096}
        for name, high in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
                raise ValueError(f"{name} = {value!r} is out of range: give a whole number from 1 to {high}")
        if isinstance(self.launch, bool) or not isinstance(self.launch, int) or self.launch < 0:
            raise ValueError(f"launch = {self.launch!r} is out of range: give a whole number of at least 0")
        if self.binding not in BINDINGS:
            raise ValueError(f"binding = {self.binding!r} is unknown: it is one of {', '.join(BINDINGS)}")
        if not self.command or not all(isinstance(word, str) for word in self.command):
            raise ValueError(f"command = {self.command!r} is no list of words")
        check_shape(list(self.metrics), [METRIC_SHAPE], "metrics")

    @property
    def run_id(self) -> str:
        """First 16 hex digits of the digest of what is run and how: its content too, but not where that came from."""
        document = self.as_dict()
        del document["workload"]
        return document_digest(document)[:16]

    @property
    def headline(self) -> Mapping[str, Any] | None:
        """The metric that speedups are formed of; None where that is the wall time."""
        return next((metric for metric in self.metrics if metric["headline"]), None)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> ProgramRun:
        """The run of a record's or a run.json's `run` object. Raises SchemaError if it is not one."""
        try:
            values = dict(document)
            for name in ("command", "crossed", "metrics", "keep"):
                values[name] = tuple(values[name])
            for name in ("parameters", "definitions", "success", "environment"):
                values[name] = dict(values[name])
            values["workload"] = Workload(**values["workload"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"not a run: {error}") from error
