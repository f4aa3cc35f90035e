"""The tasks that only read records: `report`, `audit` and `compare`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from orchestration.errors import Refusal
from orchestration.tasks.arguments import SWEEP, amount, newest_sweep, percentage, sweep_at, sweep_folder, words
from orchestration.tasks.choice import limits_of
from orchestration.tasks.common import ROOT, RUNS, reports_errors
from orchestration.tasks.printing import print_line, print_tables, short
from workload.record.schema import SchemaError

if TYPE_CHECKING:
    from results.report.contents import Buying
    from workload.record.campaign import RecordedCampaign

LATEST = str(RUNS / "latest")


@task(
    help={
        "sweep": f"{SWEEP}; several, or a campaign's folder, make a joint report (default: the latest)",
        "cluster": "the newest sweep on this cluster, which need not be up",
        "out": "folder of the report",
        "deadline": "the longest that the work may take, as 90s, 30m or 2h: the cheapest machines that keep it",
        "budget-per-run": "the most that it may cost, in the prices' currency: the fastest machines that keep it",
        "price": "what a cluster costs an hour in US dollars, as lab=1.20; repeatable, in place of what is known",
        "paper": "for a paper, in its folder paper/: figures as PDF, tables as LaTeX, and the methods to paste",
    },
    iterable=["sweep", "price"],
    auto_shortflags=False,
)
@reports_errors
def report(  # noqa: PLR0913, PLR0917  one argument a flag
    _context: Context,
    sweep: Sequence[str],
    price: Sequence[str],
    cluster: str = "",
    deadline: str = "",
    budget_per_run: str = "",
    out: str = "",
    paper: bool = False,
) -> None:
    """Make the report of a sweep again from its records; of several sweeps, a joint report."""
    terms, target = buying(price, deadline, budget_per_run), Path(out).expanduser() if out else None
    if (campaign := _campaign(sweep)) is not None:
        terms, target = replace(terms, campaign=campaign), target or campaign.folder
        folders = [each.sweep for each in campaign.clusters if each.sweep and (each.sweep / "records").is_dir()]
        if not folders:
            raise Refusal(f"{short(campaign.folder)}: no cluster of this campaign has a record yet")
    else:
        folders = [sweep_folder(name) for name in sweep] or [
            newest_sweep(cluster).folder if cluster else sweep_folder(LATEST)
        ]
    print_report(folders, target, paper=paper, buying=terms)


@task(
    help={
        "sweep": f"{SWEEP}, more than once for several (default: the latest); what cannot be is exit status 1",
        "table": "a CSV file of anybody's times: ranks, time_s, if known size and memory_mib (of all ranks)",
        "published": "audit the paper's published tables; sweeps then serve as replays of them",
        "out": "folder for the tables as Markdown and CSV (default: print them alone)",
    },
    iterable=["sweep"],
    auto_shortflags=False,
)
@reports_errors
def audit(_context: Context, sweep: Sequence[str], table: str = "", published: bool = False, out: str = "") -> None:
    """Name what cannot be true of a sweep's numbers, of a table's or of the published ones, and why."""
    from results.records.sweep import SweepError
    from results.report.audit import make

    folders = [sweep_folder(name) for name in sweep] or ([] if published or table else [sweep_folder(LATEST)])
    file, folder = (Path(name).expanduser() if name else None for name in (table, out))
    try:
        made = make(folders, published=published, table=file, out=folder)
    except SweepError as error:
        raise Refusal(str(error)) from error
    for line in made.verdict:
        print_line(line)
    print_tables(made.tables, made.problems)
    print(f"findings: {made.findings}, of which {made.certain} cannot be")
    if made.certain and not published:
        raise Exit(code=1)


COMPARE_HELP = {
    "old": f"A: {SWEEP}; several with commas between them",
    "new": "B: another, or several; exit status 1 where one of its points is slower",
    "tolerance": "call points equivalent whose times are within so much of each other, such as 3%",
}
HELP = "--help"


class Unless(Argument):
    """A positional argument that is not missing where another one is HELP, which Invoke takes for a value."""

    def __init__(self, other: Argument, own: Argument) -> None:
        super().__init__(names=own.names, help=own.help, positional=True)
        self._other = other

    @property
    def value(self) -> Any:
        """None where it is missing."""
        return "" if self._value is None and self._other.raw_value == HELP else self._value

    @value.setter
    def value(self, text: str) -> None:
        self.set_value(text, cast=True)


class TwoSides(Task[Any]):
    """A task of two positional arguments that answers to --help."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """As Invoke's, with the second argument not missing where help is asked for."""
        first, second, *others = super().get_arguments(ignore_unknown_help)
        return [first, Unless(first, second), *others]


@task(positional=["old", "new"], help=COMPARE_HELP, auto_shortflags=False, klass=TwoSides)
@reports_errors
def compare(_context: Context, old: str, new: str, tolerance: str = "") -> None:
    """Compare sweeps point by point: faster, slower, equivalent, or that it cannot be told."""
    from results.records.sweep import SweepError
    from results.report.compare import make

    if old == HELP:
        print(
            "fab compare OLD NEW [--tolerance=STRING]",
            *(f"{name}: {told}" for name, told in COMPARE_HELP.items()),
            sep="\n",
        )
        return
    first, second = ([sweep_folder(name) for name in words(side)] for side in (old, new))
    if not (first and second):
        raise Refusal("give two sides to compare, each the folder of a sweep or several: fab compare OLD NEW")
    try:
        made = make(first, second, percentage("--tolerance", tolerance))
    except SweepError as error:
        raise Refusal(str(error)) from error
    print_tables([made.table], made.problems)
    if made.slower:
        raise Exit(code=1)


def _campaign(names: Sequence[str]) -> RecordedCampaign | None:
    """The campaign whose folder a person named in a sweep's place; None where they named none. Raises Refusal."""
    from workload.record.campaign import LEDGER, read_campaign

    found = [folder for name in names if ((folder := sweep_at(name)) / LEDGER).exists()]
    if not found:
        return None
    if len(names) > 1:
        raise Refusal(f"--sweep {found[0].name} is a campaign, which has its own sweeps: name it alone")
    try:
        return read_campaign(found[0].resolve())
    except (SchemaError, OSError) as error:
        raise Refusal(str(error)) from error


def buying(prices: Sequence[str], deadline: str, budget_per_run: str) -> Buying:
    """The price list, what a person states of clusters, and the limits of a run. Raises Refusal."""
    from orchestration.forecast.prices import price_list
    from results.report.contents import Buying

    stated = {}
    for text in prices:
        name, equals, told = text.rpartition("=")
        per_hour = amount("--price", told) if equals and told else None
        if not name or per_hour is None or not 0.0 <= per_hour < math.inf:
            raise Refusal(f"--price {text!r} names no cluster and amount an hour: give for example --price lab=1.20")
        stated[name] = per_hour
    return Buying(replace(price_list(ROOT), stated=stated), limits_of(deadline, budget_per_run))


def print_report(folders: list[Path], out: Path | None, *, paper: bool = False, buying: Buying | None = None) -> None:
    """Makes the report, prints its answer, its tables and what it could not read."""
    from results.records.sweep import SweepError
    from results.report.page import make

    try:
        made = make(folders, out, paper=paper, buying=buying)
    except SweepError as error:
        raise Refusal(str(error)) from error
    print_tables(made.tables, made.problems, made.answer)
    print(f"report: {short(made.path)}")
    if paper:
        print(f"for a paper: {short(made.path.parent / 'paper')}")
