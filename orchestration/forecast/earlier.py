"""Which sweeps of a study's kind were made before on a cluster: what a forecast rests on."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from orchestration.clusters.inventory import Inventory
from orchestration.clusters.inventory import read as read_inventory
from orchestration.errors import Refusal
from orchestration.paths import RunsFolder, SweepPaths
from results.forecast.residuals import MOST_SWEEPS
from results.records.sweep import RecordedSweep, SweepError, read_sweep

Study = Mapping[str, Any]


def sweeps(runs: RunsFolder, cluster: str, alike: Callable[[Study], bool]) -> list[RecordedSweep]:
    """The newest sweeps there that are finished, of the studies that `alike` takes."""
    return held(runs, lambda inventory: inventory.cluster == cluster, alike)


def held(runs: RunsFolder, here: Callable[[Inventory], bool], alike: Callable[[Study], bool]) -> list[RecordedSweep]:
    """The same of all clusters whose inventories `here` takes."""
    return list(islice(_finished(runs, here, alike), MOST_SWEEPS))


def _finished(
    runs: RunsFolder, here: Callable[[Inventory], bool], alike: Callable[[Study], bool]
) -> Iterator[RecordedSweep]:
    for paths in runs.sweeps():
        if not _taken(paths, here, alike):
            continue
        try:
            sweep = read_sweep(paths.folder)
        except SweepError:
            continue
        if not sweep.unfinished:
            yield sweep


def _taken(paths: SweepPaths, here: Callable[[Inventory], bool], alike: Callable[[Study], bool]) -> bool:
    """Whether it is of such a study on such a cluster, told without reading its records."""
    try:
        study = tomllib.loads(paths.study.read_text(encoding="utf-8"))
        return alike(study) and here(read_inventory(paths.inventory))
    except (OSError, ValueError, AttributeError, Refusal):
        return False
