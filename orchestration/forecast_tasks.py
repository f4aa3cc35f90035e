"""The fab tasks that look ahead, and what a sweep writes down of it: short bodies, as in tasks.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from orchestration.menu import ROOT, print_tables, short, speaking, surroundings, sweep_folder, words
from orchestration.refusal import Refusal
from workload.record import SchemaError

if TYPE_CHECKING:
    from orchestration.carrying import Aside
    from orchestration.inventory import Inventory
    from orchestration.paths import SweepPaths
    from orchestration.sweep import Sweep


@task(
    help={"cluster": "a name that `fab clusters` lists, or the path of an inventory.json (default: local)"},
    auto_shortflags=False,
)
@speaking
def probe(_context: Context, cluster: str = "local") -> None:
    """Measure what a cluster can do: messages, memory, multiply-adds and each backend."""
    from orchestration.clusters import find, living
    from orchestration.probe import measure
    from results.tables.probe import tables
    from workload.supervise import utc_now

    living(find(cluster, ROOT, utc_now()), utc_now())
    path, document = measure(cluster, surroundings())
    print_tables(tables(document), ())
    print(f"probe: {short(path)}")


@task(
    help={
        "cluster": "a cluster that was probed, or a stack that is described, as fat and light are (default: local)",
        "study": "whose runs to forecast (default: the cluster's own)",
        "ranks": "rank counts: 1..64 for powers of two, or a comma-separated list",
        "series": "only these series of the study, comma-separated",
        "movement": "how blocks travel, comma-separated",
        "backend": "code that convolves a block, comma-separated",
        "extrapolate": "forecast also beyond 8 times the ranks that were probed",
        "sweep": "folder of a sweep whose measured times stand beside the forecast",
        "out": "folder for the table and the figure (default: print the table alone)",
    },
    auto_shortflags=False,
)
@speaking
def forecast(  # noqa: PLR0913, PLR0917  one argument a flag
    _context: Context,
    cluster: str = "local",
    study: str = "",
    ranks: str = "1..16",
    series: str = "",
    movement: str = "",
    backend: str = "",
    extrapolate: bool = False,
    sweep: str = "",
    out: str = "",
) -> None:
    """Forecast a study's runs from the cluster's probe: time by phase, memory, price, and where scaling stops."""
    from orchestration import forecast as planned
    from orchestration.study import Overrides, load
    from results import forecast_files, forecasting
    from results import probe as probes
    from results.model import Case, ForecastError
    from results.store import SweepError, read_sweep
    from results.tables.forecast import table
    from results.versus import Price

    inventory, document, notes, stated = _known(cluster)
    loaded = load(
        study or inventory.default_study,
        Overrides(series=words(series), movement=words(movement), backend=words(backend)),
    )
    points, left_out = planned.points(loaded, inventory, planned.counts(ranks))
    asked = [
        forecasting.Asked(
            point.series,
            Case(point.problem, point.grid, point.movement, point.backend, per_node, wanted.options),
            nodes,
            wanted.repeats,
        )
        for wanted in points
        for point in [wanted.point]
        for nodes, per_node in [planned.placement(point.ranks, inventory)]
    ]
    price = Price(inventory.price.amount_per_hour, inventory.price.currency) if inventory.price else None
    try:
        found = probes.parse(document, f"the probe of {cluster}")
        terms = forecasting.Terms(
            found,
            found.ranks,
            price,
            len(inventory.nodes),
            extrapolate,
            read_sweep(sweep_folder(sweep)) if sweep else None,
            None if stated else _band(cluster),
            stated,
            min(node.memory_bytes for node in inventory.nodes),
        )
        rows = forecasting.rows(asked, terms)
        found_table = table(rows, terms)
        print_tables([found_table], ())
        if out:
            made = forecast_files.write(rows, found_table, Path(out))
            print(f"forecast: {short(made)}")
    except (ForecastError, SweepError, SchemaError) as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"{error.filename or out}: {error.strerror}: give another --out") from error
    print(*notes, _priced(inventory), *left_out, sep="\n")


def _priced(inventory: Inventory) -> str:
    """What the cluster costs, and who says so."""
    if inventory.price is None:
        return "No price: the inventory names none."
    price, nodes = inventory.price, len(inventory.nodes)
    return (
        f"Price: {price.amount_per_hour:g} {price.currency} an hour for {nodes} {'node' if nodes == 1 else 'nodes'} "
        f"({price.date}), by the node and only while it computes."
    )


def _known(cluster: str) -> tuple[Inventory, Mapping[str, Any], tuple[str, ...], bool]:
    """Inventory and probe of a cluster; those that are stated where it was never up nor probed. Raises Refusal."""
    from orchestration import stated
    from orchestration.clusters import find, stacks
    from orchestration.probe import path_of, read
    from workload.supervise import utc_now

    if cluster in stacks(ROOT) and not path_of(cluster, ROOT).exists():
        found = stated.describe(cluster, ROOT, utc_now(), read("local", ROOT))
        return found.inventory, found.probe, found.notes, True
    return find(cluster, ROOT, utc_now()), read(cluster, ROOT), (), False


def _band(cluster: str) -> Any:
    """The interval that earlier forecasts' errors on this cluster allow; None where there were too few."""
    from results.residuals import band

    return band([value for values in _residuals(cluster).values() for value in values])


def _residuals(cluster: str) -> dict[str, list[tuple[int, float]]]:
    from orchestration.probe import residuals
    from results.residuals import parse

    path, document = residuals(cluster, ROOT)
    try:
        return {} if document is None else parse(document, str(path))
    except SchemaError as error:
        raise Refusal(str(error)) from error


def of_sweep(prepared: Sweep) -> dict[str, Any] | None:
    """A forecast of every run of a sweep, as its ledger keeps it; None where its cluster was never probed."""
    from orchestration.probe import path_of, read
    from results import foretold
    from results.model import Case
    from results.probe import parse

    cluster = prepared.request.cluster
    if not path_of(cluster, ROOT).exists():
        return None
    cases = {
        item.run.run_id: Case(
            item.run.problem,
            item.run.grid,
            item.run.movement,
            item.run.backend,
            item.run.ranks_per_node,
            item.run.options,
        )
        for item in prepared.plan.runs
    }
    try:
        return foretold.document(cases, parse(read(cluster, ROOT), f"the probe of {cluster}"), _band(cluster))
    except SchemaError as error:
        raise Refusal(str(error)) from error


def takes_s(prepared: Sweep) -> float:
    """What a sweep takes at the least: its runs' starts, and their repeats as far as they are forecast."""
    from orchestration.checks import RUN_S

    forecasts = (of_sweep(prepared) or {}).get("forecasts", {})
    total = 0.0
    for item in prepared.plan.runs:
        forecast = forecasts.get(item.run.run_id)
        repeats = item.run.warmups + item.run.repeats
        total += RUN_S + (0.0 if forecast is None else repeats * float(forecast["total_s"]))
    return total


def lifetime(prepared: Sweep) -> tuple[str, ...]:
    """A line where the cluster's lifetime ends before the sweep's runs can."""
    from orchestration import checks

    runs = len(prepared.plan.runs)
    wanted = checks.Wanted("", prepared.surroundings.utc_now(), runs, takes_s(prepared))
    faults = checks.lifetime(prepared.inventory, wanted).faults
    return tuple(f"lifetime: {fault}; what would outlive it is skipped" for fault in faults)


def forward_s(forecast: Mapping[str, Any] | None, run_id: str) -> float | None:
    """The forward time that `of_sweep` forecasts for a run; None where it has none."""
    from results import foretold

    return foretold.seconds(forecast, run_id)


def aside(prepared: Sweep) -> Aside:
    """What goes to a sweep's ledger beside its runs: the forecast, and the canary round its blocks."""
    from orchestration import canary
    from orchestration.carrying import Aside

    def ask(paths: SweepPaths) -> Mapping[str, Any]:
        found = canary.between(prepared.place, prepared.inventory, prepared.cores, paths)
        return {**found, "multiply_adds_per_s": canary.by_node(found, prepared.place.names)}

    return Aside(of_sweep(prepared), ask)


def keep(prepared: Sweep, folder: Path) -> None:
    """Remembers beside the probe how far this sweep's forecasts were off. Raises Refusal."""
    from orchestration.probe import keep_residuals
    from results import foretold
    from results.residuals import document
    from results.store import read_sweep

    rows = foretold.of_sweep(read_sweep(folder))
    if rows:
        cluster = prepared.request.cluster
        known = _residuals(cluster)
        keep_residuals(
            cluster, ROOT, document(known, folder.name, [(row.point.run.ranks, row.log_ratio) for row in rows])
        )
