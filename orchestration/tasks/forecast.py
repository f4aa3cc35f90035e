"""The tasks that look ahead: `probe` and `forecast`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from orchestration.errors import Refusal
from orchestration.tasks.arguments import LOCAL_CLUSTER, SWEEP, TURN, sweep_folder, words
from orchestration.tasks.common import (
    ROOT,
    find,
    find_living,
    known_clusters,
    reports_errors,
    surroundings,
    terminable,
    utc_now,
)
from orchestration.tasks.printing import print_line, print_tables, short
from workload.record.schema import SchemaError

if TYPE_CHECKING:
    from orchestration.clusters.inventory import Inventory
    from orchestration.forecast.points import WantedPoint
    from results.forecast.predict import Asked, Terms


@task(help={"cluster": LOCAL_CLUSTER, **TURN}, auto_shortflags=False)
@reports_errors
def probe(_context: Context, cluster: str = "local", wait: bool = False, concurrent: bool = False) -> None:
    """Measure what a cluster can do: messages, memory, multiply-adds and each backend."""
    from orchestration.forecast.probe import measure
    from orchestration.sweep.locks import Turn
    from results.tables.sweep.probe import tables

    find_living(cluster)
    with terminable():
        path, document = measure(cluster, surroundings(), Turn(wait, concurrent, print_line))
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
        "sweep": f"measured times to show beside the forecast: {SWEEP}",
        "out": "folder for the table and the figure (default: print the table alone)",
    },
    auto_shortflags=False,
)
@reports_errors
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
    from orchestration.forecast.points import counts, points
    from orchestration.planning.study import Overrides
    from results.figures.forecast import write
    from results.forecast.predict import rows
    from results.forecast.probe import ForecastError
    from results.records.sweep import SweepError
    from results.tables.sweep.forecast import table

    known = _known(cluster)
    _, loaded = load(
        study or known.inventory.default_study,
        Overrides(series=words(series), values={"movement": words(movement), "backend": words(backend)}),
    )
    wanted, left_out = points(loaded, known.inventory, counts(ranks))
    try:
        terms = _terms(cluster, known, extrapolate, sweep)
        found = rows(_asked(wanted, known.inventory), terms)
        made = table(found, terms)
        print_tables([made], ())
        if out:
            print(f"forecast: {short(write(found, made, Path(out).expanduser()))}")
    except (ForecastError, SweepError, SchemaError) as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"{error.filename or out}: {error.strerror}: give another --out") from error
    for line in (*known.notes, _priced(known.inventory), *left_out):
        print_line(line)


@dataclass(frozen=True)
class KnownCluster:
    """Inventory and probe of a cluster; where it was never probed, both are made from published figures (`stated`)."""

    inventory: Inventory
    probe: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    stated: bool = False


def _known(cluster: str) -> KnownCluster:
    """Raises Refusal."""
    from orchestration.forecast import datasheet
    from orchestration.forecast.probe import path_of, read

    owner = known_clusters().owner(cluster)
    described = owner.described(cluster, ROOT) if owner and not path_of(cluster, ROOT).exists() else None
    if described is None:
        return KnownCluster(find(cluster), read(cluster, ROOT))
    found = datasheet.describe(cluster, described, ROOT, utc_now(), read("local", ROOT))
    return KnownCluster(found.inventory, found.probe, found.notes, stated=True)


def _asked(wanted: Sequence[WantedPoint], inventory: Inventory) -> list[Asked]:
    """The points to forecast, each placed on the nodes."""
    from orchestration.forecast.cases import of_point
    from orchestration.forecast.points import placement
    from results.forecast.predict import Asked

    spread = [placement(item.point.ranks, inventory) for item in wanted]
    return [
        Asked(item.point.series, of_point(item.point, per_node, item.options), nodes, item.repeats)
        for item, (nodes, per_node) in zip(wanted, spread, strict=True)
    ]


def _terms(cluster: str, known: KnownCluster, extrapolate: bool, sweep: str) -> Terms:
    """The figures that the forecast is made from. Raises Refusal, SweepError, SchemaError."""
    from orchestration.forecast.sweep import band
    from results.forecast.predict import Terms
    from results.forecast.probe import parse
    from results.records.price import HourlyPrice
    from results.records.sweep import read_sweep

    probed, price, nodes = parse(known.probe, f"the probe of {cluster}"), known.inventory.price, known.inventory.nodes
    return Terms(
        probed,
        probed.ranks,
        HourlyPrice(price.amount_per_hour, price.currency) if price else None,
        len(nodes),
        extrapolate,
        read_sweep(sweep_folder(sweep)) if sweep else None,
        None if known.stated else band(cluster, ROOT),
        known.stated,
        min(node.memory_bytes for node in nodes),
    )


def _priced(inventory: Inventory) -> str:
    """The cluster's price, and its date, in a line."""
    if inventory.price is None:
        return "No price: the inventory names none."
    price, nodes = inventory.price, len(inventory.nodes)
    return (
        f"Price: {price.amount_per_hour:g} {price.currency} an hour for {nodes} {'node' if nodes == 1 else 'nodes'} "
        f"({price.date}), by the node and only while it computes."
    )
