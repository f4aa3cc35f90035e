"""The register of experiments. To add one: a class that follows experiment.Experiment, and an entry here."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.errors import Refusal
from orchestration.experiments.convolution.experiment import Convolution
from orchestration.experiments.experiment import Experiment
from orchestration.experiments.program.experiment import ProgramExperiment
from orchestration.planning import study
from orchestration.planning.study import LoadedStudy, Overrides

EXPERIMENTS: Sequence[Experiment] = (Convolution(), ProgramExperiment())


def load(
    name: str | None, overrides: Overrides, experiments: Sequence[Experiment] = EXPERIMENTS, default: str = ""
) -> tuple[Experiment, LoadedStudy]:
    """The study of that name or path, and the experiment whose table it has: the first, where it has none.

    Without a name the flags may stand for a study, else it is the default. Raises Refusal.
    """
    made = [found for experiment in experiments if not name and (found := experiment.improvised(overrides))]
    file = made[0] if made else study.read(name or default)
    owners = [experiment for experiment in experiments if experiment.table in file.document]
    if len(owners) > 1:
        tables = " and ".join(f"[{owner.table}]" for owner in owners)
        raise Refusal(f"study {file.path.name} has {tables}: a study is about one of them")
    experiment = owners[0] if owners else experiments[0]
    strange = [
        key for key, value in overrides.values.items() if value not in (None, (), "") and key not in experiment.flags
    ]
    if strange:
        raise Refusal(
            f"--{strange[0].replace('_', '-')}: study {file.path.name} is of a {experiment.kind}, which has none"
        )
    return experiment, experiment.load(file, overrides)
