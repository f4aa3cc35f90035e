"""The status of a sweep, from its folder alone: recorded, running and waiting runs. Asks no node."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from orchestration.clusters.inventory import read as read_inventory
from orchestration.errors import Refusal
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.sweep.ledger import Ledger
from orchestration.sweep.resume import records


@dataclass(frozen=True)
class Status:
    """Run ids by what became of them; `at_work` was started and has no record yet."""

    paths: SweepPaths
    cluster: str
    planned: int
    outcomes: Counter[str]
    at_work: list[str]

    @property
    def waiting(self) -> int:
        return self.planned - sum(self.outcomes.values()) - len(self.at_work)


def status(paths: SweepPaths) -> Status:
    """Of the sweep in the folder. Raises Refusal."""
    ledger = Ledger(paths.ledger)
    planned = ledger.last("planned")
    if planned is None:
        raise Refusal(f"{paths.folder} holds no sweep: give a folder under results/runs")
    runs, done = {run for event in ledger.events() for run in event.get("runs", [])}, records(paths)
    begun: dict[str, bool] = {}
    for event in ledger.events():
        if "run_id" in event:
            begun[str(event["run_id"])] = event["event"] in ("started", "adopted")
    at_work = sorted(run for run, going in begun.items() if going and run not in done)
    outcomes = Counter(str(record["outcome"]) for run, record in done.items() if run in runs)
    return Status(paths, str(planned.get("cluster")), len(runs), outcomes, at_work)


def newest(runs: RunsFolder, cluster: str) -> SweepPaths:
    """The folder of the sweep worked at last on the cluster. Raises Refusal where there is none."""
    for paths in runs.sweeps():
        try:
            if read_inventory(paths.inventory).cluster == cluster:
                return paths
        except Refusal:
            continue
    raise Refusal(f"no sweep on cluster {cluster} lies in {runs.folder}: start one with 'fab sweep'")
