"""The tasks that only read records: `report`, `audit` and `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from orchestration.errors import Refusal
from orchestration.tasks.arguments import SWEEP, newest_sweep, sweep_folder
from orchestration.tasks.common import RUNS, reports_errors
from orchestration.tasks.printing import print_line, print_tables, short

LATEST = str(RUNS / "latest")


@task(
    help={
        "sweep": f"{SWEEP}; several make a joint report (default: the latest)",
        "cluster": "the newest sweep on this cluster, which need not be up",
        "out": "folder of the report",
    },
    iterable=["sweep"],
    auto_shortflags=False,
)
@reports_errors
def report(_context: Context, sweep: Sequence[str], cluster: str = "", out: str = "") -> None:
    """Make the report of a sweep again from its records; of several sweeps, a joint report."""
    folders = [sweep_folder(name) for name in sweep] or [
        newest_sweep(cluster).folder if cluster else sweep_folder(LATEST)
    ]
    print_report(folders, Path(out).expanduser() if out else None)


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


@task(help={"first": f"A: {SWEEP}", "second": "B: another"}, auto_shortflags=False)
@reports_errors
def compare(_context: Context, first: str, second: str) -> None:
    """Compare two sweeps point by point, and say where no difference can be claimed."""
    from results.records.sweep import SweepError
    from results.report.compare import make

    try:
        made = make(sweep_folder(first), sweep_folder(second))
    except SweepError as error:
        raise Refusal(str(error)) from error
    print_tables([made.table], made.problems)


def print_report(folders: list[Path], out: Path | None) -> None:
    """Makes the report, prints its tables and what it could not read."""
    from results.records.sweep import SweepError
    from results.report.page import make

    try:
        made = make(folders, out)
    except SweepError as error:
        raise Refusal(str(error)) from error
    print_tables(made.tables, made.problems)
    print(f"report: {short(made.path)}")
