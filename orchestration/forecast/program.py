"""What a program of a person's own would take on a cluster, from its earlier sweeps there or on the same machine type.

Nothing is asked of any node, and the cluster need not be up: what is run is the program as the newest of those sweeps
had it. Of other machine types nothing follows from a program's times, and the cluster is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.clusters.inventory import Inventory
from orchestration.clusters.inventory import read as read_inventory
from orchestration.clusters.provider import DescribedNodes
from orchestration.errors import Refusal
from orchestration.experiments.experiment import Experiment, PlanBasis
from orchestration.forecast import earlier
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.planning.cores import UNKNOWN
from orchestration.planning.study import LoadedStudy, Overrides, StudyFile, series_of
from results.estimates import INTERVAL, Estimate
from results.forecast import law
from results.forecast.bid import Bid
from results.forecast.law import LawRow
from results.forecast.predict import TOO_FAR
from results.formats import plural
from results.records.point import TOTAL
from results.records.price import NodePrice, PerHour, PriceList, node_price
from results.records.sweep import STRONG, RecordedSweep
from workload.record.run import Workload


@dataclass(frozen=True)
class WantedProgram:
    """What is to be forecast: the study with the command line's flags in it, and where earlier sweeps lie."""

    experiment: Experiment
    loaded: LoadedStudy
    runs: RunsFolder
    workload: Workload
    prices: PriceList
    extrapolate: bool = False


@dataclass(frozen=True)
class Place:
    """A cluster: as a person typed it, as its sweeps call it, and what its nodes are or will be; None where unknown."""

    typed: str
    name: str
    nodes: DescribedNodes | None

    def holds(self, inventory: Inventory) -> bool:
        """Whether what was measured on these nodes was measured on this cluster, or on machines of its one type."""
        found = inventory.machine_type
        if inventory.cluster == self.name and (self.nodes is None or found in {"", self.nodes.machine_type}):
            return True
        return self.nodes is not None and found == self.nodes.machine_type


@dataclass(frozen=True)
class ProgramForecast:
    """A cluster's bids, of which problem, in which currency, and what they rest on in a line."""

    bids: Sequence[Bid]
    problem: tuple[object, ...]
    what: str
    currency: str | None
    note: str


def of_cluster(wanted: WantedProgram, place: Place, counts: Sequence[int]) -> ProgramForecast:
    """The program's strong series at these rank counts, all up to the slots where there are none.

    Raises Refusal, ForecastError.
    """
    alike = wanted.experiment.forebears(wanted.loaded)
    found = [] if alike is None else earlier.held(wanted.runs, place.holds, alike)
    if not found:
        of_type = f" or on other {place.nodes.machine_type}" if place.nodes is not None else ""
        raise Refusal(
            f"no finished sweep of this program on it{of_type}: from its times on other machines nothing follows for "
            "these; three sweeps there make a forecast"
        )
    newest = found[0]
    inventory = _inventory(newest, place)
    runs = _runs(wanted, newest, inventory, counts)
    event = law.document({run.run_id: (run, STRONG) for run in runs}, found, TOTAL)
    used = [sweep for sweep in found if sweep.name in event["earlier"]]
    several = any(launch.ok and launch.run.nodes > 1 for sweep in used for launch in sweep.launches)
    rows = _rows([run for run in runs if several or run.nodes == 1], event["forecasts"], wanted.extrapolate)
    problems = {row.experiment.problem(row.run) for row in rows}
    if len(problems) > 1:
        raise Refusal("the runs differ in their work: give each parameter one value, and name one --series")
    price = node_price(newest, wanted.prices)
    basis = f"law of {plural(len(used), 'sweep')}"
    bids = [_bid(place, inventory, row, price, basis) for row in rows]
    run = rows[0].run
    what = f"{rows[0].experiment.title(run)}, {rows[0].experiment.size_text(run)}"
    return ProgramForecast(
        bids, problems.pop(), what, price.currency if price else None, _note(place, used, price, several=several)
    )


def _rows(runs: Sequence[Any], foretold: Mapping[str, Any], extrapolate: bool) -> list[LawRow]:
    """Those of the runs that have a forecast and do not lie far beyond the measured ranks. Raises Refusal."""
    known = [run for run in runs if run.run_id in foretold]
    if not known:
        raise Refusal(
            "earlier sweeps ran it on one node alone: what the network between several does is in none of them"
        )
    near = [run for run in known if extrapolate or run.ranks <= TOO_FAR * foretold[run.run_id]["most_ranks"]]
    if not near:
        most = max(foretold[run.run_id]["most_ranks"] for run in known)
        raise Refusal(
            f"all of --ranks are more than {TOO_FAR} times the {most} that earlier sweeps had: sweep more ranks, or "
            "give --extrapolate"
        )
    return law.rows([("", run) for run in near], foretold, None, extrapolate=True)


def _inventory(sweep: RecordedSweep, place: Place) -> Inventory:
    """The nodes that the newest sweep was on, as many as the cluster has or will have."""
    found = read_inventory(SweepPaths(sweep.folder).inventory)
    if place.nodes is None or (found.cluster == place.name and len(found.nodes) == place.nodes.count):
        return found
    slots = place.nodes.slots or found.nodes[0].slots
    nodes = [
        found.nodes[0].model_copy(update={"name": f"node{index}", "address": f"node{index}", "slots": slots})
        for index in range(1, place.nodes.count + 1)
    ]
    return found.model_copy(update={"cluster": place.name, "nodes": nodes})


def _runs(wanted: WantedProgram, newest: RecordedSweep, inventory: Inventory, counts: Sequence[int]) -> list[Any]:
    """One run of each point of the strong series, of the program as that sweep had it. Raises Refusal."""
    experiment, loaded = wanted.experiment, wanted.loaded
    strong = tuple(series.name for series in series_of(loaded.study) if series.scaling == STRONG)
    if not strong:
        raise Refusal("the study has no strong series, whose work is the same at every number of ranks: give another")
    as_swept = newest.study.get(experiment.table, {}).get("resolved", {})
    document = {**loaded.document, experiment.table: {**loaded.document[experiment.table], "resolved": dict(as_swept)}}
    file = StudyFile(document, Path(loaded.source))
    asked = counts or range(1, inventory.slots + 1)
    possible = tuple(count for count in asked if count <= inventory.slots)
    if not possible:
        raise Refusal(f"it has {plural(inventory.slots, 'slot')}, fewer than any of --ranks")
    overrides = Overrides(series=strong, ranks=_without_nodes(loaded, possible), launches=1)
    basis = PlanBasis(inventory, (), UNKNOWN, wanted.workload, wanted.runs.folder.absolute())
    plan = experiment.plan(experiment.load(file, overrides), basis)[1]
    return [item.run for item in plan.runs]


def _without_nodes(loaded: LoadedStudy, counts: tuple[int, ...]) -> tuple[int, ...]:
    """The rank counts, but none where series count in nodes, which go before ranks."""
    return () if any(getattr(series, "nodes", None) for series in series_of(loaded.study)) else counts


def _bid(place: Place, inventory: Inventory, row: LawRow, price: NodePrice | None, basis: str) -> Bid:
    time_s, interval = row.entry["headline_s"], row.entry["interval_s"]
    bounds = Estimate(time_s, interval[0], interval[1], INTERVAL, 0) if interval else None
    return Bid(
        name=place.typed,
        cluster=place.typed,
        machine_type=inventory.machine_type,
        nodes=row.run.nodes,
        ranks=row.run.ranks,
        how=row.experiment.variant(row.run).phrase,
        total_s=time_s,
        basis=basis if row.basis == "measured" else f"{basis}, {row.basis}",
        per_hour=PerHour() if price is None else price.per_hour.of(row.run.nodes),
        time=bounds,
    )


def _note(place: Place, used: Sequence[RecordedSweep], price: NodePrice | None, *, several: bool) -> str:
    names = ", ".join(sweep.name for sweep in used)
    others = sorted({str(sweep.inventory.get("cluster")) for sweep in used} - {place.name})
    of_type = f", on machines of the same type ({', '.join(others)})" if others else ""
    alone = "" if several else "; of one node alone, for they had no run on several"
    priced = "its price is not known" if price is None else f"the price, by the newest: {price.basis}"
    return f"{place.typed}: from {names}{of_type}, of the program as the newest had it{alone}; {priced}."
