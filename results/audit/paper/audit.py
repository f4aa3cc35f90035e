"""The audit of the paper: what follows from its numbers alone, from its public code, and from our replay.

Findings from the numbers alone are computed from results/published/tables.json. What was read in the public code is in
results/published/reading.json, with the commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.audit import gates
from results.audit.gates import Audit, Count, Finding
from results.audit.paper import hypotheses, printed, published, replay
from results.audit.paper.hypotheses import Fitted, MemoryFit, MemoryRow, TimedRow
from results.audit.paper.printed import label_of, problem_of, timed_rows
from results.formats import number, sentence
from results.records.sweep import RecordedSweep
from workload.domain.grid import Grid
from workload.movement.descriptions.footprint import predict
from workload.record.files import read_json

READING = Path(__file__).parents[2] / "published" / "reading.json"
LEFT_OVER = 0.3  # error of the best hypothesis above which a row counts as unexplained


@dataclass(frozen=True)
class ClusterEvidence:
    """Hypotheses about one cluster, best first: work from its times, and arrays held from its memory."""

    cluster: str
    rows: tuple[TimedRow, ...]
    work: tuple[Fitted, ...]
    memory: tuple[MemoryFit, ...]
    memory_rows: tuple[MemoryRow, ...]

    @property
    def work_separated(self) -> bool:
        return hypotheses.separated([fitted.error for fitted in self.work])

    @property
    def memory_separated(self) -> bool:
        return hypotheses.separated([fitted.worst_mib for fitted in self.memory])


@dataclass(frozen=True)
class PublishedAudit:
    audit: Audit
    evidence: tuple[ClusterEvidence, ...]


def audit_published(replays: Sequence[RecordedSweep] = ()) -> PublishedAudit:
    """Audits the published tables. `replays` are sweeps that repeated the published method."""
    document, reading = published.document(), read_json(READING)
    evidence = tuple(_evidence(document, cluster) for cluster in published.CLUSTERS)
    findings = [*printed.findings(document)]
    for each in evidence:
        findings += _work(each)
        findings += _memory(each)
    findings += [
        Finding(item["gate"], item["where"], item["words"], (reading["source"],), gates.CODE)
        for item in reading["statements"]
    ]
    findings += [finding for sweep in replays for finding in replay.findings(sweep)]
    untold = [
        f"{sentence(gates.CPU)}: the paper prints no CPU time.",
        f"{sentence(gates.NODES)}: the numbers do not say which rank ran where.",
        *_untold_memory(evidence),
    ]
    if not any(finding.grade == gates.REPLAY for finding in findings):
        untold.append("No replay was given: fab sweep --study paper-replica makes one.")
    unexplained = (*_unexplained(document, evidence), *reading["unexplained"])
    return PublishedAudit(
        Audit(document["source"], tuple(findings), _tested(document, evidence, findings), tuple(untold), unexplained),
        evidence,
    )


def _tested(
    document: Mapping[str, Any], evidence: Sequence[ClusterEvidence], findings: Sequence[Finding]
) -> dict[str, Count]:
    """Cases by gate: printed rows, and one for all times and for all memory of each cluster."""
    cases = printed.tested(document) | {gates.MEMORY: len(evidence)}
    cases[gates.SHARE] += len(evidence)
    flagged = Counter(finding.gate for finding in findings if finding.grade == gates.NUMBERS)
    return {gate: Count(number, flagged[gate]) for gate, number in cases.items()}


def _evidence(document: Mapping[str, Any], cluster: str) -> ClusterEvidence:
    rows = timed_rows(document, cluster)
    timed = tuple(
        TimedRow(label_of(row), problem_of(document, row["batch"]), row["processes"], row["time_s"]) for row in rows
    )
    held = tuple(
        MemoryRow(label_of(row), problem_of(document, row["batch"]), row["processes"], row["memory_per_rank_mb"])
        for row in rows
    )
    work, memory = hypotheses.rank_work(timed), hypotheses.rank_memory(held)
    return ClusterEvidence(cluster, timed, tuple(work), tuple(memory), held)


def _tables(document: Mapping[str, Any], cluster: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row["table"] for row in timed_rows(document, cluster)))


def _work(evidence: ClusterEvidence) -> Iterator[Finding]:
    best, second = evidence.work[:2]
    tables = _tables(published.document(), evidence.cluster)
    told = f"median error {best.median_error:.1%}, worst {best.worst_error:.1%}"
    if evidence.work_separated:
        words = f"the times follow {best.name} images a rank ({told}); {second.name}, the next, misses by up to "
        words += f"{second.worst_error:.0%}, and B/N by {_named(evidence, 'B/N').median_error:.0%} in the median"
    else:
        words = (
            f"the times are consistent with {best.name} images a rank ({told}), but do not tell it from {second.name} "
            f"(median error {second.median_error:.1%}): they decide nothing alone"
        )
    if best.name != "B/N":
        yield Finding(gates.SHARE, f"{evidence.cluster}, all rows", words, tables, certain=evidence.work_separated)


def _named(evidence: ClusterEvidence, name: str) -> Fitted:
    return next(fitted for fitted in evidence.work if fitted.name == name)


def _memory(evidence: ClusterEvidence) -> Iterator[Finding]:
    best, second = evidence.memory[:2]
    if best.name != hypotheses.TWICE or not evidence.memory_separated:
        return
    honest = next(fitted for fitted in evidence.memory if fitted.name == hypotheses.ALL_WORK)
    _, label, held_mib, needed = min(
        (mib / expected, row.label, mib, expected)
        for row in evidence.memory_rows
        for mib, expected in zip(row.mib, honest.expected[row.label], strict=True)
    )
    words = (
        f"all {len(evidence.memory_rows)} rows fit within {number(best.worst_mib, 2)} MiB if a rank holds {best.name}; "
        f"if it holds {second.name}, they miss by up to {number(second.worst_mib, 2)} MiB ({label}: a rank has "
        f"{number(held_mib, 3)} MiB and would need {number(needed, 3)})"
    )
    tables = _tables(published.document(), evidence.cluster)
    yield Finding(gates.MEMORY, f"{evidence.cluster}, all rows", words, tables)


def _untold_memory(evidence: Sequence[ClusterEvidence]) -> Iterator[str]:
    for each in evidence:
        best = each.memory[0]
        if best.name == hypotheses.INPUT_ALONE:
            yield (
                f"{sentence(gates.MEMORY)}: the {len(each.memory_rows)} rows of the {each.cluster} cluster hold "
                f"{best.name} (within {number(best.worst_mib, 2)} MiB): they were read too early to tell anything of "
                "the work."
            )


def _unexplained(document: Mapping[str, Any], evidence: Sequence[ClusterEvidence]) -> Iterator[str]:
    """Lines about what no hypothesis accounts for."""
    yield from _killed(document)
    for each in evidence:
        for label, residual in each.work[0].residuals.items():
            if abs(residual) > LEFT_OVER:
                yield f"{label}: even {each.work[0].name} misses the published time by {abs(residual):.0%}."
    seen: dict[tuple[str, int, int], Mapping[str, Any]] = {}
    for row in document["runs"]:
        key = (row["cluster"], row["batch"], row["processes"])
        other = seen.setdefault(key, row)
        if other is row or not row["time_s"] or not other["time_s"]:
            continue
        slower, faster = max(row["time_s"], other["time_s"]), min(row["time_s"], other["time_s"])
        if slower / faster > 1.0 + gates.LONE_MARGIN:
            yield (
                f"Two runs with the same parameters ({row['cluster']}, B = {row['batch']}, N = {row['processes']}) are "
                f"published as {number(slower)} and {number(faster)} s: {slower / faster - 1.0:.0%} apart."
            )


def _killed(document: Mapping[str, Any]) -> Iterator[str]:
    usable = next(claim for claim in document["claims"] if "usable_gb" in claim)
    for row in document["runs"]:
        if row["status"] != published.KILLED:
            continue
        found = predict(problem_of(document, row["batch"]), Grid(batch=row["processes"]), "scatter-gather")
        arrays_gb = sum(found.array_bytes) / 1e9
        if arrays_gb < usable["usable_gb"]:
            yield (
                f"{label_of(row)} was killed; '{usable['claim'].split(';')[0]}' does not explain it: all arrays of an "
                f"honest run take {number(arrays_gb, 2)} GB together."
            )
