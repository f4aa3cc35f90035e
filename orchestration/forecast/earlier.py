"""Which sweeps of a person's own program were made before on a cluster: what a forecast of it rests on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from itertools import islice

from orchestration.clusters.inventory import read as read_inventory
from orchestration.errors import Refusal
from orchestration.experiments.program.study import TABLE
from orchestration.paths import RunsFolder, SweepPaths
from results.forecast.residuals import MOST_SWEEPS
from results.records.sweep import RecordedSweep, SweepError, read_sweep


def sweeps(runs: RunsFolder, cluster: str, command: list[str]) -> list[RecordedSweep]:
    """The newest sweeps of that command there that are finished."""
    return list(islice(_finished(runs, cluster, command), MOST_SWEEPS))


def _finished(runs: RunsFolder, cluster: str, command: list[str]) -> Iterator[RecordedSweep]:
    for paths in runs.sweeps():
        if not _alike(paths, cluster, command):
            continue
        try:
            sweep = read_sweep(paths.folder)
        except SweepError:
            continue
        if not sweep.unfinished:
            yield sweep


def _alike(paths: SweepPaths, cluster: str, command: list[str]) -> bool:
    """Whether it is one of the command on the cluster, told without reading its records."""
    try:
        table = tomllib.loads(paths.study.read_text(encoding="utf-8")).get(TABLE, {})
        return table.get("command") == command and read_inventory(paths.inventory).cluster == cluster
    except (OSError, ValueError, AttributeError, Refusal):
        return False
