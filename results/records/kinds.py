"""The kinds of experiment that results can read, by `workload.kind` in the record."""

from __future__ import annotations

from results.records.convolution import RecordedConvolution
from results.records.experiment import RecordedExperiment
from results.records.program import RecordedProgram
from workload.record.kinds import RecordedRun
from workload.record.schema import SchemaError

CONVOLUTION: RecordedExperiment = RecordedConvolution()
PROGRAM: RecordedExperiment = RecordedProgram()
KINDS: dict[str, RecordedExperiment] = {"convolution": CONVOLUTION, "program": PROGRAM}


def experiment_of(run: RecordedRun) -> RecordedExperiment:
    """The kind of experiment of a run. Raises SchemaError for an unknown kind."""
    kind = run.workload.kind
    if kind not in KINDS:
        raise SchemaError(f"workload.kind {kind!r} is unknown: this convscale reads {', '.join(KINDS)}")
    return KINDS[kind].seen(run)
