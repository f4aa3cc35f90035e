"""The kinds of record, by `workload.kind` of their run. To add one: a RecordKind and an entry in KINDS.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from workload.record import program
from workload.record.digest import canonical_json
from workload.record.files import read_object
from workload.record.outcomes import OUTCOMES
from workload.record.run import Run, Workload
from workload.record.schema import (
    MEASUREMENT_SHAPE,
    OPERATOR_SHAPE,
    SLURM_SHAPE,
    SchemaError,
    check_shape,
    check_version,
)


class RecordedRun(Protocol):
    """What every kind of run has, whatever it computes."""

    @property
    def run_id(self) -> str:
        """16 hex digits: a digest of what is run and how, never of when or where."""
        ...

    @property
    def ranks(self) -> int: ...

    @property
    def nodes(self) -> int: ...

    @property
    def ranks_per_node(self) -> int: ...

    @property
    def threads(self) -> int: ...

    @property
    def binding(self) -> str: ...

    @property
    def launch(self) -> int: ...

    @property
    def workload(self) -> Workload: ...

    def as_dict(self) -> dict[str, Any]:
        """The `run` of its record."""
        ...


def parameters(run: RecordedRun) -> str:
    """What the launches of a point share: the run without its launch number and the version of the code."""
    document = run.as_dict()
    return canonical_json({key: value for key, value in document.items() if key not in ("launch", "workload")})


@dataclass(frozen=True)
class RecordKind:
    """One kind of record: version 1 is the convolution's, version 2 that of any other kind.

    `measurement` is the shape of what a run writes; `predicted` that of the record's key of this name. `read_run` makes
    the run of a record's `run`, which knows its id, and raises SchemaError if it is not one.
    """

    name: str
    version: int
    measurement: Mapping[str, Any]
    read_run: Callable[[Mapping[str, Any]], RecordedRun]
    predicted: Mapping[str, Any] = field(default_factory=dict)

    def unmeasured(self) -> dict[str, Any]:
        """A record's measured keys if the run left no measurement: empty lists and objects."""
        return {key: shape() for key, shape in _containers(self.measurement).items()}

    def check_record(self, record: Mapping[str, Any], name: str) -> RecordedRun:
        """The run of a record. Raises SchemaError naming `name` and the key that is wrong."""
        check_version(record, name, self.version)
        # of a run that left no measurement the objects are empty
        objects = {key: dict for key, shape in _containers(self.measurement).items() if shape is dict}
        shape = {**self.measurement, **OPERATOR_SHAPE, **objects, "predicted": dict(self.predicted)}
        check_shape(record, shape, name)
        if "slurm" in record:
            check_shape(record["slurm"], SLURM_SHAPE, f"{name}.slurm")
        if record["outcome"] not in OUTCOMES:
            raise SchemaError(f"{name}.outcome = {record['outcome']!r} is unknown: one of {', '.join(OUTCOMES)}")
        run = self.read_run(record["run"])
        if run.run_id != record["run_id"]:
            raise SchemaError(f"{name}: run_id {record['run_id']} is not the id {run.run_id} of its run")
        return run


def _containers(measurement: Mapping[str, Any]) -> dict[str, type]:
    """`list` or `dict` for each measured key that is one."""
    return {key: type(shape) for key, shape in measurement.items() if isinstance(shape, list | dict)}


CONVOLUTION = RecordKind(
    "convolution", 1, MEASUREMENT_SHAPE, Run.from_dict, predicted={"peak_bytes": [int], "moved_bytes": int}
)
PROGRAM = RecordKind(program.KIND, program.VERSION, program.MEASUREMENT_SHAPE, program.ProgramRun.from_dict)
KINDS: Mapping[str, RecordKind] = {kind.name: kind for kind in (CONVOLUTION, PROGRAM)}


def kind_of(record: Mapping[str, Any], name: str) -> RecordKind:
    """The kind of a record, which `name` names. Raises SchemaError for an unknown one."""
    run = record.get("run")
    workload = run.get("workload") if isinstance(run, dict) else None
    kind = workload.get("kind", CONVOLUTION.name) if isinstance(workload, dict) else CONVOLUTION.name
    if not isinstance(kind, str) or kind not in KINDS:
        raise SchemaError(f"{name}: workload.kind {kind!r} is unknown: this convscale reads {', '.join(KINDS)}")
    return KINDS[kind]


def read_record(path: Path) -> dict[str, Any]:
    """A record of any kind, of the right shape. Raises SchemaError or OSError, naming the file."""
    record = read_object(path)
    kind_of(record, path.name).check_record(record, path.name)
    return record
