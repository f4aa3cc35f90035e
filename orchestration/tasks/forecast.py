"""The tasks that look ahead: `probe` and `forecast`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from orchestration.errors import Refusal
from orchestration.tasks.arguments import LOCAL_CLUSTER, sweep_folder, words
from orchestration.tasks.common import ROOT, find, find_living, known_clusters, speaking, surroundings, utc_now
from orchestration.tasks.printing import print_tables, short
from workload.record.schema import SchemaError

if TYPE_CHECKING:
    from orchestration.clusters.inventory import Inventory


@task(help={"cluster": LOCAL_CLUSTER}, auto_shortflags=False)
@speaking
def probe(_context: Context, cluster: str = "local") -> None:
    """Measure what a cluster can do: messages, memory, multiply-adds and each backend."""
    from orchestration.forecast.probe import measure
    from results.tables.sweep.probe import tables

    find_living(cluster)
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
    from orchestration.experiments import load
    from orchestration.forecast import points as planned
    from orchestration.forecast.cases import of_point
    from orchestration.forecast.sweep import band
    from orchestration.planning.study import Overrides
    from results.figures import forecast as forecast_files
    from results.forecast import predict
    from results.forecast import probe as probes
    from results.forecast.probe import ForecastError
    from results.records.price import HourlyPrice
    from results.records.sweep import SweepError, read_sweep
    from results.tables.sweep.forecast import table

    inventory, document, notes, stated = _known(cluster)
    _, loaded = load(
        study or inventory.default_study,
        Overrides(series=words(series), values={"movement": words(movement), "backend": words(backend)}),
    )
    points, left_out = planned.points(loaded, inventory, planned.counts(ranks))
    asked = [
        predict.Asked(
            point.series,
            of_point(point, per_node, wanted.options),
            nodes,
            wanted.repeats,
        )
        for wanted in points
        for point in [wanted.point]
        for nodes, per_node in [planned.placement(point.ranks, inventory)]
    ]
    price = HourlyPrice(inventory.price.amount_per_hour, inventory.price.currency) if inventory.price else None
    try:
        found = probes.parse(document, f"the probe of {cluster}")
        terms = predict.Terms(
            found,
            found.ranks,
            price,
            len(inventory.nodes),
            extrapolate,
            read_sweep(sweep_folder(sweep)) if sweep else None,
            None if stated else band(cluster, ROOT),
            stated,
            min(node.memory_bytes for node in inventory.nodes),
        )
        rows = predict.rows(asked, terms)
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
    from orchestration.forecast import datasheet
    from orchestration.forecast.probe import path_of, read

    owner = known_clusters().owner(cluster)
    described = owner.described(cluster, ROOT) if owner and not path_of(cluster, ROOT).exists() else None
    if described is None:
        return find(cluster), read(cluster, ROOT), (), False
    found = datasheet.describe(cluster, described, ROOT, utc_now(), read("local", ROOT))
    return found.inventory, found.probe, found.notes, True
