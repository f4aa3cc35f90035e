"""The register of experiments. To add one: a class that follows experiment.Experiment, and an entry here."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.errors import Refusal
from orchestration.experiments.convolution.experiment import Convolution
from orchestration.experiments.experiment import Experiment
from orchestration.planning import study
from orchestration.planning.study import LoadedStudy, Overrides

EXPERIMENTS: Sequence[Experiment] = (Convolution(),)


def load(
    name: str, overrides: Overrides, experiments: Sequence[Experiment] = EXPERIMENTS
) -> tuple[Experiment, LoadedStudy]:
    """The study of that name or path, and the experiment whose table it has: the first, where it has none.

    Raises Refusal.
    """
    file = study.read(name)
    owners = [experiment for experiment in experiments if experiment.table in file.document]
    if len(owners) > 1:
        tables = " and ".join(f"[{owner.table}]" for owner in owners)
        raise Refusal(f"study {file.path.name} has {tables}: a study is about one of them")
    experiment = owners[0] if owners else experiments[0]
    return experiment, experiment.load(file, overrides)
