"""The audit of a sweep as a table: what was flagged, why it cannot be true, and the grade of evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.audit import gates
from results.audit.gates import Audit, Finding
from results.formats import plural
from results.table import Column, Table, build, hidden, plain

SHOWN_IDS = 3  # run ids named in a cell; the CSV has all


def findings(audit: Audit, name: str = "audit") -> Table:
    """One row per finding. The notes say how many cases each gate tested, and what was not tested or is unexplained."""
    columns: list[Column[Finding]] = [
        plain("Verdict", "verdict", lambda finding: finding.verdict),
        plain("Gate", "gate", lambda finding: finding.gate),
        plain("Where", "where", lambda finding: finding.where),
        plain("Found", "found", lambda finding: finding.words),
        plain("Grade", "grade", lambda finding: finding.grade),
        Column("Evidence", lambda finding: _some(finding.evidence), lambda _: {}),
        plain("Why it cannot be", "why", lambda finding: gates.GATES[finding.gate]),
        hidden("run_ids", lambda finding: " ".join(finding.evidence)),
    ]
    notes = [*_counts(audit), *audit.untold]
    notes += [f"Unexplained: {line}" for line in audit.unexplained]
    return build("Audit", columns, audit.findings, name=name, notes=notes)


def _counts(audit: Audit) -> Iterator[str]:
    """What each gate tested: those that flagged something, those that did not, and those that had nothing to test."""
    flagged = [
        f"{gate} ({count.flagged} of {plural(count.cases, 'case')})"
        for gate, count in audit.tested.items()
        if count.flagged
    ]
    passed = [f"{gate} ({plural(audit.tested[gate].cases, 'case')})" for gate in audit.passed]
    for words, found in (
        ("Flagged", flagged),
        ("Nothing was flagged by", passed),
        ("Had nothing to test", audit.idle),
    ):
        if found:
            yield f"{words}: {', '.join(found)}."


def _some(evidence: Sequence[str]) -> str:
    more = len(evidence) - SHOWN_IDS
    return ", ".join(evidence[:SHOWN_IDS]) + (f" and {more} more" if more > 0 else "")
