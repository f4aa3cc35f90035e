"""The audit of the paper's published tables: findings, and the hypotheses about work and memory behind them."""

from __future__ import annotations

from collections.abc import Sequence

from results.audit.paper.audit import ClusterEvidence, PublishedAudit
from results.audit.paper.hypotheses import Fitted, MemoryFit, MemoryRow, TimedRow
from results.formats import NONE, number, percent, sentence
from results.table import Column, Table, build, numeric, plain, shown
from results.tables.sweep.audit import findings


def tables(audit: PublishedAudit) -> list[Table]:
    """Findings, then each cluster's hypotheses about work and memory, with all residuals."""
    found = [findings(audit.audit, "audit-published")]
    for evidence in audit.evidence:
        found += [_hypotheses(evidence), _times(evidence), _memory(evidence)]
    return found


def _hypotheses(evidence: ClusterEvidence) -> Table:
    columns: list[Column[Fitted]] = [
        plain("Images a rank", "hypothesis", lambda fitted: fitted.name),
        numeric("Time of an image (s)", "image_s", lambda fitted: fitted.image_s),
        shown("Bandwidth (GB/s)", "bytes_per_s", lambda fitted: fitted.bytes_per_s, _bandwidth),
        shown("Median error (%)", "median_error", lambda fitted: fitted.median_error, percent),
        shown("Worst error (%)", "worst_error", lambda fitted: fitted.worst_error, percent),
        shown("RMS error (%)", "rms_error", lambda fitted: fitted.error, percent),
    ]
    told = "separated" if evidence.work_separated else "not separated: the times alone do not decide"
    notes = [f"t = t1 images + moved bytes / bandwidth, fitted in log time. The best from the next: {told}."]
    title = f"Work of a rank, from the times of the {evidence.cluster} cluster"
    return build(title, columns, evidence.work, name=f"audit-work-{evidence.cluster}", notes=notes)


def _bandwidth(bytes_per_s: float | None) -> str:
    return NONE if bytes_per_s is None else number(bytes_per_s / 1e9, 3)


def _times(evidence: ClusterEvidence) -> Table:
    def residual(fitted: Fitted) -> Column[TimedRow]:
        key = f"residual_{evidence.work.index(fitted) + 1}"
        return shown(
            f"{fitted.name}: model over published, less one (%)",
            key,
            lambda row: fitted.residuals[row.label],
            lambda value: f"{100 * value:+.1f}",
        )

    columns: list[Column[TimedRow]] = [
        plain("Published run", "run", lambda row: row.label),
        numeric("Published time (s)", "time_s", lambda row: row.time_s),
        *(residual(fitted) for fitted in evidence.work),
    ]
    title = f"Residuals of the {evidence.cluster} cluster's times"
    return build(title, columns, evidence.rows, name=f"audit-times-{evidence.cluster}")


def _memory(evidence: ClusterEvidence) -> Table:
    def expected(fitted: MemoryFit) -> Column[MemoryRow]:
        key = f"expected_{evidence.memory.index(fitted) + 1}_mib"
        return Column(
            f"If a rank holds {fitted.name} (MiB)",
            lambda row: _ends(fitted.expected[row.label]),
            lambda row: {key: " ".join(f"{mib:.1f}" for mib in fitted.expected[row.label])},
        )

    columns: list[Column[MemoryRow]] = [
        plain("Published run", "run", lambda row: row.label),
        Column(
            "Published, root and others (MiB)",
            lambda row: _ends(row.mib),
            lambda row: {"published_mib": " ".join(map(str, row.mib))},
        ),
        *(expected(fitted) for fitted in evidence.memory),
    ]
    notes = [
        f"{sentence(fitted.name)}: within {number(fitted.worst_mib, 3)} MiB, with {number(fitted.base_mib, 3)} MiB "
        "besides in every rank."
        for fitted in evidence.memory
    ]
    title = f"Memory of the {evidence.cluster} cluster's ranks"
    return build(title, columns, evidence.memory_rows, name=f"audit-memory-{evidence.cluster}", notes=notes)


def _ends(mib: Sequence[float]) -> str:
    """The root's value, and the range of the others."""
    if len(mib) == 1:
        return number(mib[0])
    low, high = number(min(mib[1:])), number(max(mib[1:]))
    return f"{number(mib[0])}; {low}" + (f" to {high}" if low != high else "")
