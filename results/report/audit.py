"""Carries out an audit of sweeps, of anybody's table of times, or of the published tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.audit.gates import SUSPICIOUS, Audit, Finding
from results.audit.paper.audit import audit_published
from results.audit.paper.verdict import sentences as published_sentences
from results.audit.sweep import audit_of
from results.audit.table import TableError
from results.audit.table import audit_of as audit_of_table
from results.files import write_whole
from results.formats import plural, slug
from results.records.sweep import SweepError, read_sweeps
from results.table import Table, csv_text, markdown
from results.tables.convolution.published_audit import tables as published_tables
from results.tables.sweep.audit import findings

LARGEST_TABLE = 10 * 2**20  # bytes of a person's table


@dataclass(frozen=True)
class Audited:
    """The result of an audit.

    `verdict`: its sentences, before the tables. `findings`: how many there are, of which `certain` say what cannot be.
    `problems`: a line for each record that could not be used.
    """

    verdict: tuple[str, ...]
    tables: tuple[Table, ...]
    findings: int
    certain: int
    problems: tuple[str, ...]


def make(folders: Sequence[Path], *, published: bool, table: Path | None = None, out: Path | None = None) -> Audited:
    """Audits each sweep and the table or, if `published`, the published tables with the sweeps as replays of them.

    Writes the tables as Markdown and CSV into `out`, if given.

    Raises:
        SweepError: nothing to audit, a folder that is not a sweep or is given twice, a table that cannot be read or is
            none, or `out` cannot be written.
    """
    if not folders and not published and table is None:
        raise SweepError("there is nothing to audit: give --sweep DIR, --table FILE.csv, --published, or several")
    sweeps = read_sweeps(folders)
    problems = tuple(f"{sweep.name}: {line}" for sweep in sweeps for line in sweep.problems)
    audits = [] if table is None else [_of_table(table)]
    if not published:
        audits += [audit_of(sweep) for sweep in sweeps]
    verdict = [sentence for each in audits for sentence in sentences(each)]
    found = [findings(each, slug("audit", each.subject)) for each in audits]
    if published:
        made = audit_published(sweeps)
        verdict += published_sentences(made)
        found += published_tables(made)
        audits.append(made.audit)
    if out is not None:
        _write(found, out)
    count, certain = sum(len(each.findings) for each in audits), sum(len(each.certain) for each in audits)
    return Audited(tuple(verdict), tuple(found), count, certain, problems)


def sentences(audit: Audit) -> Iterator[str]:
    """What an audit comes to: what cannot be, what is suspicious, or nothing, and in how many cases."""
    tested = sum(count.cases > 0 for count in audit.tested.values())
    cases = f"{audit.cases:,} cases, {plural(tested, 'gate')}"
    certain, suspicious = list(audit.certain), [each for each in audit.findings if each.verdict == SUSPICIOUS]
    if not audit.findings:
        yield f"{audit.subject}: nothing is found that cannot be true ({cases})."
    if certain:
        told = f"{plural(len(certain), 'finding')}, {cases}"
        yield f"{audit.subject} cannot be true as it stands: {_gates(certain)} ({told})."
    if suspicious:
        told = f"{plural(len(suspicious), 'finding')}, which may have an honest reason"
        yield f"{audit.subject} is suspicious: {_gates(suspicious)} ({told})."


def _gates(found: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(finding.gate for finding in found))


def _of_table(path: Path) -> Audit:
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise SweepError(f"{path} is larger than {LARGEST_TABLE // 2**20} MiB: it is no table of times")
        return audit_of_table(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError:
        raise SweepError(f"{path} is no text in UTF-8: save it as a CSV file") from None
    except OSError as error:
        raise SweepError(f"{path} cannot be read ({error.strerror})") from error
    except TableError as error:
        raise SweepError(str(error)) from error


def _write(found: Sequence[Table], out: Path) -> None:
    try:
        for table in found:
            write_whole(out / f"{table.name}.md", markdown(table))
            write_whole(out / f"{table.name}.csv", csv_text(table))
    except OSError as error:
        raise SweepError(f"{error.filename or out}: the audit cannot be written ({error.strerror})") from error
