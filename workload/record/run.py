"""What a run is asked to do. A *run* is one `mpirun`; it leaves a *record* (docs/formats.md has every key).

A run's id is a digest of what it computes and how, never of when, where or in which order it runs. Standard library
only, so that the operator's side can plan without MPI.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workload.domain import backends
from workload.domain.grid import Grid, check_grid
from workload.domain.problem import Problem
from workload.movement import descriptions as movements
from workload.movement.descriptions.pairing import unpaired
from workload.record.digest import document_digest
from workload.record.schema import SchemaError, check_shape

BINDINGS = ("none", "core", "hwthread")
WEIGHTS = ("identity", "box-blur", "sharpen", "edges", "random")
MAX_RANKS = 65536


@dataclass(frozen=True)
class Images:
    """The pool of pictures that a run makes its batch from: its kind, and the SHA-256 of its .npy file."""

    kind: str
    digest: str


@dataclass(frozen=True)
class Workload:
    """Which code ran: its kind, the digest of workload/, and the commit it came from, since nodes have no git."""

    kind: str = "convolution"
    digest: str = ""
    git_commit: str | None = None
    git_dirty: bool | None = None


# Of a record's run, besides what the classes themselves prove
SHAPES = {"options": dict, "workload": {"kind": str, "digest": str, "git_commit": (str, type(None))}}


@dataclass(frozen=True)
class Run:
    """One `mpirun`: what to compute, with how many ranks, and how they are placed.

    `options` are the movement's own (for example `chunk_bytes`). `threads` is a rank's number of threads.
    Raises ValueError if a value is out of range, a word is unknown or the grid does not fit."""

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
        words = {
            "binding": BINDINGS,
            "weights": WEIGHTS,
            "movement": movements.names(),
            "backend": backends.names(),
        }
        for name, allowed in words.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} = {getattr(self, name)!r} is unknown: it is one of {', '.join(allowed)}")
        if objection := unpaired(self.movement, self.backend):
            raise ValueError(objection)
        check_grid(self.problem, self.grid)
        if self.grid.ranks != self.ranks:
            raise ValueError(f"the grid has {self.grid.ranks} parts, but the run has {self.ranks} ranks")

    @property
    def run_id(self) -> str:
        """First 16 hex digits of the digest of what is computed and how."""
        document = self.as_dict()
        del document["workload"]
        document["images"] = self.images.digest
        return document_digest(document)[:16]

    def as_dict(self) -> dict[str, Any]:
        flat = {"problem": self.problem.as_dict(), "grid": self.grid.as_dict(), "options": dict(self.options)}
        return {**vars(self), **flat, "images": dict(vars(self.images)), "workload": dict(vars(self.workload))}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Run:
        """The run of a record's or a run.json's `run` object. Raises SchemaError if it is not one."""
        try:
            values = dict(document)
            check_shape(values, {key: shape for key, shape in SHAPES.items() if key in values}, "run")
            values["problem"] = Problem.from_dict(values["problem"])
            values["grid"] = Grid.from_dict(values["grid"])
            values["images"] = Images(**values["images"])
            values["workload"] = Workload(**values["workload"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise SchemaError(f"not a run: {error}") from error
