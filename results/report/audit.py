"""Carries out an audit of sweeps, or of the published tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from results.audit.paper.audit import audit_published
from results.audit.sweep import audit_of
from results.files import write_whole
from results.formats import slug
from results.records.sweep import SweepError, read_sweeps
from results.table import Table, csv_text, markdown
from results.tables.convolution.published_audit import tables as published_tables
from results.tables.sweep.audit import findings


@dataclass(frozen=True)
class Audited:
    """The result of an audit: its tables, the number of findings, and a line for each record that could not be used."""

    tables: tuple[Table, ...]
    findings: int
    problems: tuple[str, ...]


def make(folders: Sequence[Path], *, published: bool, out: Path | None = None) -> Audited:
    """Audits each sweep or, if `published`, the published tables with the sweeps as replays of them.

    Writes the tables as Markdown and CSV into `out`, if given.

    Raises:
        SweepError: there is nothing to audit, a folder is not a sweep or given twice, or `out` cannot be written.
    """
    if not folders and not published:
        raise SweepError("there is nothing to audit: give --sweep DIR, --published, or both")
    sweeps = read_sweeps(folders)
    problems = tuple(f"{sweep.name}: {line}" for sweep in sweeps for line in sweep.problems)
    if published:
        made = audit_published(sweeps)
        found = tuple(published_tables(made))
        count = len(made.audit.findings)
    else:
        audits = [audit_of(sweep) for sweep in sweeps]
        found = tuple(findings(each, slug("audit", each.subject)) for each in audits)
        count = sum(len(each.findings) for each in audits)
    if out is not None:
        _write(found, out)
    return Audited(found, count, problems)


def _write(found: Sequence[Table], out: Path) -> None:
    try:
        for table in found:
            write_whole(out / f"{table.name}.md", markdown(table))
            write_whole(out / f"{table.name}.csv", csv_text(table))
    except OSError as error:
        raise SweepError(f"{error.filename or out}: the audit cannot be written ({error.strerror})") from error
