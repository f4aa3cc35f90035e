"""The audit of a sweep as a table: what was flagged, why it cannot be true, and the grade of evidence."""

from __future__ import annotations

from collections.abc import Sequence

from results.audit import gates
from results.audit.gates import Audit, Finding
from results.table import Column, Table, build, hidden, plain

SHOWN_IDS = 3  # run ids named in a cell; the CSV has all


def findings(audit: Audit, name: str = "audit") -> Table:
    """One row per finding. The notes have the gates that flagged nothing, what was not tested or is unexplained."""
    columns: list[Column[Finding]] = [
        plain("What cannot be", "gate", lambda finding: finding.gate),
        plain("Where", "where", lambda finding: finding.where),
        plain("Found", "found", lambda finding: finding.words),
        plain("Grade", "grade", lambda finding: finding.grade),
        Column("Evidence", lambda finding: _some(finding.evidence), lambda _: {}),
        plain("Why it cannot be", "why", lambda finding: gates.GATES[finding.gate]),
        hidden("run_ids", lambda finding: " ".join(finding.evidence)),
    ]
    notes = [f"Nothing was flagged by: {', '.join(audit.passed)}."] if audit.passed else []
    notes += audit.untold
    notes += [f"Unexplained: {line}" for line in audit.unexplained]
    return build("Audit", columns, audit.findings, name=name, notes=notes)


def _some(evidence: Sequence[str]) -> str:
    more = len(evidence) - SHOWN_IDS
    return ", ".join(evidence[:SHOWN_IDS]) + (f" and {more} more" if more > 0 else "")
