"""A run that times MPI_Barrier, and what it measures: records of the kind `barrier`, schema version 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from workload.record.digest import document_digest
from workload.record.run import Workload
from workload.record.schema import SchemaError

KIND = "barrier"
VERSION = 2
MEASUREMENT_SHAPE: dict[str, Any] = {"schema_version": int, "run_id": str, "ranks": int, "barrier_s": [float]}


@dataclass(frozen=True)
class BarrierRun:
    """One launch of `count` barriers."""

    count: int
    ranks: int
    nodes: int
    ranks_per_node: int
    threads: int
    binding: str
    launch: int
    workload: Workload

    @property
    def run_id(self) -> str:
        """16 hex digits of a digest of all but the code's version."""
        document = self.as_dict()
        del document["workload"]
        return document_digest(document)[:16]

    def as_dict(self) -> dict[str, Any]:
        """The `run` of its record."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> BarrierRun:
        """The run of a record. Raises SchemaError."""
        try:
            return cls(**{**document, "workload": Workload(**document["workload"])})
        except (KeyError, TypeError) as error:
            raise SchemaError(f"not a run of barriers: {error}") from error
