"""The tasks that look ahead: `probe` and `forecast`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.tasks import task

from orchestration.errors import Refusal
from orchestration.tasks import known
from orchestration.tasks.arguments import LOCAL_CLUSTER, SWEEP, TURN, sweep_folder
from orchestration.tasks.choice import Question, choose
from orchestration.tasks.common import find_living, reports_errors, surroundings, terminable
from orchestration.tasks.printing import print_line, print_tables, short
from orchestration.tasks.sweep import SWEEP_HELP, overrides_of
from workload.record.schema import SchemaError

if TYPE_CHECKING:
    from orchestration.planning.study import LoadedStudy, Overrides
    from results.figures.forecast import ForecastAxis, ForecastMark
    from results.table import Table


PROGRAM_FLAGS = ("command", "parameter", "metric", "scaling", "size", "mpi", "threads")


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
        "cluster": "a cluster that was probed or is described, as fat, light and c3-highcpu-22x4 are (default: local)",
        "study": "whose runs to forecast (default: the cluster's own)",
        "ranks": "rank counts: 1..64 for powers of two, or a comma-separated list",
        "series": "only these series of the study, comma-separated",
        "movement": "how blocks travel, comma-separated",
        "backend": "code that convolves a block, comma-separated",
        **{name: SWEEP_HELP[name] for name in PROGRAM_FLAGS},
        "extrapolate": "forecast also beyond 8 times the ranks that were probed, or measured of a program",
        "clusters": "several of them instead, comma-separated, for the same work: which machines to take",
        "deadline": "with --clusters: the longest a repeat may take, as 90s, 30m or 2h",
        "budget-per-run": "with --clusters: the most that a repeat may cost, in the price's currency",
        "sweep": f"measured times to show beside the forecast: {SWEEP}",
        "out": "folder for the table and the figures (default: print the table alone)",
    },
    iterable=["parameter", "metric"],
    auto_shortflags=False,
)
@reports_errors
def forecast(  # noqa: PLR0913, PLR0917  one argument a flag
    _context: Context,
    parameter: Sequence[str],
    metric: Sequence[str],
    cluster: str = "",
    clusters: str = "",
    deadline: str = "",
    budget_per_run: str = "",
    study: str = "",
    ranks: str = "",
    series: str = "",
    movement: str = "",
    backend: str = "",
    command: str = "",
    scaling: str = "",
    size: str = "",
    mpi: str = "",
    threads: str = "",
    extrapolate: bool = False,
    sweep: str = "",
    out: str = "",
) -> None:
    """Forecast a study's runs from the cluster's probe, or a program's from its earlier sweeps there."""
    from orchestration.experiments import load
    from orchestration.forecast.convolution.points import counts
    from results.forecast.convolution.probe import ForecastError
    from results.records.sweep import SweepError

    wanted = counts(ranks or "1..16")
    overrides = overrides_of({**locals(), "ranks": ""})  # the flags, by their names
    question = Question(clusters, deadline, budget_per_run, study, ranks, extrapolate)
    if question.asked:
        of_one = {"cluster": cluster, "sweep": sweep}
        _print_choice(question, overrides, out, [flag for flag, given in of_one.items() if given])
        return
    cluster = cluster or "local"
    name = study or ("" if command else known.known(cluster).inventory.default_study)
    experiment, loaded = load(name, overrides)
    try:
        if experiment.forebears(loaded) is not None:
            asked = replace(overrides, ranks=wanted, launches=1)
            found = _by_law(cluster, name, asked, sweep, extrapolate=extrapolate)
        else:
            found = _by_probe(cluster, loaded, wanted, sweep, extrapolate=extrapolate)
    except (ForecastError, SweepError, SchemaError) as error:
        raise Refusal(str(error)) from error
    print_tables([found.table], ())
    if out:
        _write(found, Path(out).expanduser())
    for line in found.notes:
        print_line(line)


def _print_choice(question: Question, overrides: Overrides, out: str, others: Sequence[str]) -> None:
    """Raises Refusal."""
    if others:
        raise Refusal(f"--{others[0]} is of one cluster, and --clusters of several: give the one or the other")
    made = choose(question, overrides)
    print_tables([made.table], ())
    if out:
        print(f"forecast: {short(made.write(Path(out).expanduser()))}")
    for line in made.notes:
        print_line(line)


@dataclass(frozen=True)
class MadeForecast:
    """A forecast as it is shown: its table, lines beside that, and what a figure draws on which axis."""

    table: Table
    notes: Sequence[str]
    marks: Sequence[ForecastMark]
    axis: ForecastAxis


def _write(found: MadeForecast, folder: Path) -> None:
    """Raises Refusal."""
    from results.figures.forecast import write

    try:
        print(f"forecast: {short(write(found.marks, found.table, folder, found.axis))}")
    except OSError as error:
        raise Refusal(f"{error.filename or folder}: {error.strerror}: give another --out") from error


def _by_probe(
    cluster: str, loaded: LoadedStudy, counts: Sequence[int], sweep: str, *, extrapolate: bool
) -> MadeForecast:
    """Raises Refusal, ForecastError, SweepError, SchemaError."""
    from orchestration.forecast.convolution.points import points
    from results.figures.forecast import FORWARD, of_probe
    from results.forecast.predict import rows
    from results.tables.sweep.forecast import table

    of = known.known(cluster)
    wanted, left_out = points(loaded, of.inventory, counts)
    terms = known.terms(cluster, of, extrapolate, sweep)
    found = rows(known.asked(wanted, of.inventory), terms)
    notes = (*of.notes, known.priced(of.inventory), *left_out)
    return MadeForecast(table(found, terms), notes, of_probe(found), FORWARD)


def _by_law(cluster: str, study: str, overrides: Overrides, sweep: str, *, extrapolate: bool) -> MadeForecast:
    """From the law of earlier sweeps. Raises Refusal, ForecastError, SweepError."""
    from orchestration.forecast.sweep import forecast_sweep
    from orchestration.sweep.prepare import Request, prepare
    from results.figures.forecast import ForecastAxis, of_law
    from results.forecast.law import rows
    from results.records.sweep import read_sweep
    from results.tables.sweep.law_forecast import table

    prepared = prepare(Request(cluster, study or None, overrides=overrides), surroundings())
    forecast = forecast_sweep(prepared)
    if forecast.values is None:
        raise Refusal(forecast.why)
    runs = [("+".join(item.series), item.run) for item in prepared.plan.runs]
    measured = read_sweep(sweep_folder(sweep)) if sweep else None
    found = rows(runs, forecast.values["forecasts"], measured, extrapolate=extrapolate)
    first = found[0].experiment
    axis = ForecastAxis(first.headline_header, first.headline_unit, first.headline_key)
    notes = tuple(dict.fromkeys(forecast.values["left_out"].values()))
    return MadeForecast(table(found, forecast.values), notes, of_law(found), axis)
