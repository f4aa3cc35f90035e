"""What a run is asked to do, and the words and shape of the record it leaves.

A *run* is one `mpirun`. Its id is a digest of what it computes and how, never of when, where or in
which order it ran. A *record* is the JSON document that it leaves; docs/formats.md describes every key.

Standard library only: the operator's side plans and reads with this module and no MPI.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workload.domain.grid import Grid, check_grid
from workload.domain.problem import Problem

SCHEMA_VERSION = 1

OK = "ok"
WRONG_ANSWER = "wrong_answer"
OUT_OF_MEMORY = "out_of_memory"
CRASHED = "crashed"
NODE_LOST = "node_lost"
TIMEOUT = "timeout"
LAUNCH_FAILED = "launch_failed"
SKIPPED = "skipped"
OUTCOMES = (OK, WRONG_ANSWER, OUT_OF_MEMORY, CRASHED, NODE_LOST, TIMEOUT, LAUNCH_FAILED, SKIPPED)

PHASES = ("load", "distribute", "convolve", "collect", "save")
BINDINGS = ("none", "core", "hwthread")
BACKENDS = (
    "naive",
    "numpy",
    "simd",
)  # the names of workload.convolve and workload.movement, for who cannot import them
MOVEMENTS = ("serial", "scatter-gather", "tree", "pipeline", "shared", "distributed", "replica")
WEIGHTS = ("identity", "box-blur", "sharpen", "edges", "random")
# of movements: bytes of x in one step of a stream; ranks to take for a node, where nodes are to be tried on one machine
OPTIONS = ("chunk_bytes", "group_ranks")
IMAGE_KINDS = ("sample", "synthetic", "folder")
MAX_RANKS = 65536


class SchemaError(ValueError):
    """A document is not what its reader takes; the message names the key and both versions where they differ."""


@dataclass(frozen=True)
class Images:
    """The pool of pictures a run draws its batch from: its kind and the SHA-256 of its .npy file."""

    kind: str
    digest: str


@dataclass(frozen=True)
class Workload:
    """Which code ran: kind, digest of workload/, and the commit it came from (the nodes have no git)."""

    kind: str = "convolution"
    digest: str = ""
    git_commit: str | None = None
    git_dirty: bool | None = None


@dataclass(frozen=True)
class Run:
    """One `mpirun`: what to compute, with how many ranks, placed how.

    `options` are the movement's own (for example `chunk_bytes`). `threads` is a rank's number of
    threads. Raises ValueError where a value is out of range or the grid does not fit.
    """

    problem: Problem
    ranks: int
    nodes: int
    ranks_per_node: int
    binding: str
    threads: int
    grid: Grid
    movement: str
    backend: str
    images: Images
    weights: str
    seed: int
    warmups: int
    repeats: int
    save: bool
    launch: int
    options: Mapping[str, int | str | bool] = field(default_factory=dict)
    workload: Workload = Workload()

    def __post_init__(self) -> None:
        limits = {
            "ranks": (1, MAX_RANKS),
            "nodes": (1, MAX_RANKS),
            "ranks_per_node": (1, MAX_RANKS),
            "threads": (1, 4096),
            "seed": (0, 2**63 - 1),
            "warmups": (0, 1000),
            "repeats": (1, 100_000),
            "launch": (0, 100_000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} = {value!r} is out of range: give a whole number from {low} to {high}")
        for name, allowed in (("binding", BINDINGS), ("weights", WEIGHTS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} = {getattr(self, name)!r} is unknown: it is one of {', '.join(allowed)}")
        check_grid(self.problem, self.grid)
        if self.grid.ranks != self.ranks:
            raise ValueError(f"the grid has {self.grid.ranks} parts, but the run has {self.ranks} ranks")

    @property
    def run_id(self) -> str:
        """First 16 hex digits of SHA-256 over the canonical JSON of what is computed and how."""
        document = self.as_dict()
        del document["workload"]
        document["images"] = self.images.digest
        return hashlib.sha256(canonical_json(document).encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, Any]:
        document = asdict(self)
        document["options"] = dict(self.options)
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Run:
        """The run of a record's or a run.json's `run` object. Raises SchemaError where it is none."""
        try:
            values = dict(document)
            values["problem"] = Problem.from_dict(values["problem"])
            values["grid"] = Grid.from_dict(values["grid"])
            values["images"] = Images(**values["images"])
            values["workload"] = Workload(**values["workload"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"not a run: {error}") from error


def canonical_json(document: object) -> str:
    """The one spelling of a document: sorted keys, no white space, no NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, document: object) -> None:
    """Writes the document whole or not at all. Raises OSError, leaving no part behind."""
    write_whole(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def write_whole(path: Path, content: str | bytes | memoryview, mode: int = 0o644) -> None:
    """Writes text (UTF-8, line ends as they are) or bytes whole or not at all: write, fsync, rename.

    Never readable by more than `mode` says. Raises OSError, leaving no part behind.
    """
    data = content.encode() if isinstance(content, str) else content
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises SchemaError (truncated, no object, another version) or OSError."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:  # covers bad UTF-8 as well
        raise SchemaError(f"{path}: not whole JSON ({error}); it was cut short or is no record") from error
    if not isinstance(document, dict):
        raise SchemaError(f"{path}: holds no JSON object")
    check_version(document, str(path))
    return document


def check_version(document: Mapping[str, Any], name: str) -> None:
    """Raises SchemaError where the document's schema version is not ours, naming both."""
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise SchemaError(
            f"{name}: schema_version {version!r}, but this convscale reads {SCHEMA_VERSION}: "
            "use the convscale that wrote it"
        )


_NUMBER = (int, float)
_OPTIONAL_NUMBER = (int, float, type(None))
_RANK_TIMES = {
    "rank": int,
    "phases_s": dict.fromkeys(PHASES, _NUMBER),
    "wait_s": _NUMBER,
    "app_s": _NUMBER,
    "mpi_s": _NUMBER,
    "cpu_s": _NUMBER,
    "convolve_cpu_s": _NUMBER,
}
_REPEAT = {
    "total_s": _NUMBER,
    "forward_s": _NUMBER,
    "convolve_s": _NUMBER,
    "streamed": bool,
    "memory_bound": bool,
    "ranks": [_RANK_TIMES],
}
MEASUREMENT_SHAPE: dict[str, Any] = {
    "schema_version": int,
    "run_id": str,
    "run": dict,
    "warmup_repeats": [_REPEAT],
    "repeats": [_REPEAT],
    "memory": [
        {
            "rank": int,
            "peak_rss_bytes": (int, type(None)),
            "pss_bytes": (int, type(None)),
            "rss_after_phase_bytes": dict,
            "baseline_rss_bytes": int,
            "major_faults": int,
            "swap_bytes": (int, type(None)),
        }
    ],
    "blocks": [{"rank": int, **dict.fromkeys(("batch", "out_channel", "row", "column"), list), "output_elements": int}],
    "mpi_calls": [{"rank": int, "call": str, "count": int, "bytes": int, "time_s": _NUMBER}],
    "check": {
        "repeats_checked": int,
        "rows_checked": int,
        "worst_error_over_tolerance": _OPTIONAL_NUMBER,
        "detectable_abs_error": _OPTIONAL_NUMBER,
        "spots": int,
        "spot_max_abs_error": _OPTIONAL_NUMBER,
        "passed": bool,
    },
    "machines": [{"node": str, "boot_id": str, "cpu_model": str, "rank_placement": list}],
    "clock_agreement": {"wtime_s": _NUMBER, "monotonic_s": _NUMBER},
}
RECORD_SHAPE: dict[str, Any] = {
    **MEASUREMENT_SHAPE,
    "series": [str],
    "launch": int,
    "sequence": int,
    "attempt": int,
    "outcome": str,
    "reason": str,
    "exit_status": (int, type(None)),
    "started_utc": (str, type(None)),
    "ended_utc": (str, type(None)),
    "log_tail": str,
    "check": dict,
    "clock_agreement": dict,
    "predicted": {"peak_bytes": [int], "moved_bytes": int},
    "evidence": {"oom_kills": dict, "signal": (int, type(None)), "exception": (str, type(None)), "lost_nodes": [str]},
}


def check_shape(value: Any, shape: Any, name: str) -> None:
    """Raises SchemaError at the first key of `value` that is missing or of another type than `shape` has."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise SchemaError(f"{name} is no object")
        for key, inner in shape.items():
            if key not in value:
                raise SchemaError(f"{name} lacks {key}")
            check_shape(value[key], inner, f"{name}.{key}")
    elif isinstance(shape, list):
        if not isinstance(value, list):
            raise SchemaError(f"{name} is no list")
        for index, item in enumerate(value):
            check_shape(item, shape[0], f"{name}[{index}]")
    elif not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
        raise SchemaError(f"{name} = {str(value)[:60]!r} has the wrong type")


def read_record(path: Path) -> dict[str, Any]:
    """A record, its shape proved. Raises SchemaError or OSError, naming the file."""
    record = read_json(path)
    check_shape(record, RECORD_SHAPE, path.name)
    if record["outcome"] not in OUTCOMES:
        raise SchemaError(f"{path.name}.outcome = {record['outcome']!r} is unknown: one of {', '.join(OUTCOMES)}")
    run = Run.from_dict(record["run"])
    if run.run_id != record["run_id"]:
        raise SchemaError(f"{path.name}: run_id {record['run_id']} is not the id {run.run_id} of its run")
    return record
