"""The paper's published numbers through the gates: what follows from them alone, from its code, from our replay.

Everything under the first grade is computed from results/published/tables.json; the reading of the public code is
results/published/reading.json, and says which commit was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.audit import hypotheses, paper, replay
from results.audit.gates import (
    AGAINST,
    CODE,
    COVERAGE,
    CPU,
    GATES,
    LONE_MARGIN,
    MEMORY,
    NODES,
    NUMBERS,
    OUTSIDE_MPI,
    REPLAY,
    SERIAL,
    SHARE,
    SUMS,
    SUPERLINEAR,
    WEAK_FALLS,
    Audit,
    Finding,
    certainly_below,
    least_seconds,
    share_of_work,
)
from results.audit.hypotheses import Fitted, MemoryFit, MemoryRow, TimedRow
from results.estimates import EXACT, Estimate
from results.formats import number, plural, sentence
from results.records.sweep import STRONG, WEAK, RecordedSweep
from results.scaling.laws import gustafson, karp_flatt
from workload.domain.footprint import predict
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.record.files import read_json

READING = Path(__file__).parents[1] / "published" / "reading.json"
SUM_TOLERANCE_MIB = 1.0  # printed values are rounded
FOLLOWS = 0.1  # of the work: how near the replay's CPU seconds must come
LEFT_OVER = 0.3  # error of the best hypothesis above which a row counts as unexplained


@dataclass(frozen=True)
class ClusterEvidence:
    """One cluster's hypotheses, the best first: of the work, from the times, and of what was held, from the memory."""

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


def make(replays: Sequence[RecordedSweep] = ()) -> PublishedAudit:
    """The audit of the published tables; `replays` are sweeps that hold the replay, for the third grade."""
    document, reading = paper.document(), read_json(READING)
    evidence = tuple(_evidence(document, cluster) for cluster in paper.CLUSTERS)
    findings = [*_rows(document), *_printed(document), *_profile(document), *_figures(document)]
    for each in evidence:
        findings += _work(each)
        findings += _memory(each)
    findings += [
        Finding(item["gate"], item["where"], item["words"], CODE, (reading["source"],))
        for item in reading["statements"]
    ]
    findings += [finding for sweep in replays for finding in _replayed(sweep)]
    flagged = {finding.gate for finding in findings}
    untold = [
        f"{sentence(CPU)}: the paper prints no CPU time.",
        f"{sentence(NODES)}: the numbers do not say which rank ran where.",
        *_untold_memory(evidence),
    ]
    if not any(finding.grade == REPLAY for finding in findings):
        untold.append("No replay was given: fab sweep --study paper-replica makes one.")
    passed = tuple(gate for gate in GATES if gate not in flagged | {CPU, NODES})
    unexplained = (*_unexplained(document, evidence), *reading["unexplained"])
    return PublishedAudit(Audit(document["source"], tuple(findings), passed, tuple(untold), unexplained), evidence)


def _problem(document: Mapping[str, Any], batch: int) -> Problem:
    sizes = {name: size for name, size in document["problem"].items() if name != "dtype"}
    return Problem(batch=batch, **sizes)


def _timed(document: Mapping[str, Any], cluster: str) -> list[Mapping[str, Any]]:
    return [row for row in document["runs"] if row["cluster"] == cluster and row["time_s"] is not None]


def _label(row: Mapping[str, Any]) -> str:
    return f"{row['cluster']} {row['scaling']}, N = {row['processes']}, B = {row['batch']}"


def _evidence(document: Mapping[str, Any], cluster: str) -> ClusterEvidence:
    rows = _timed(document, cluster)
    timed = tuple(
        TimedRow(_label(row), _problem(document, row["batch"]), row["processes"], row["time_s"]) for row in rows
    )
    held = tuple(
        MemoryRow(_label(row), _problem(document, row["batch"]), row["processes"], row["memory_per_rank_mb"])
        for row in rows
    )
    work, memory = hypotheses.rank_work(timed), hypotheses.rank_memory(held)
    return ClusterEvidence(cluster, timed, tuple(work), tuple(memory), held)


def _rows(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Each multi-rank row against the one-rank row of its series."""
    for cluster in paper.CLUSTERS:
        rows = _timed(document, cluster)
        ones = {row["scaling"]: row for row in rows if row["processes"] == 1}
        for row in rows:
            if row["processes"] > 1:
                yield from _row(row, ones[row["scaling"]])


def _row(row: Mapping[str, Any], one: Mapping[str, Any]) -> Iterator[Finding]:
    ranks, time_s, one_s = row["processes"], row["time_s"], one["time_s"]
    ratio = Estimate(time_s / one_s, time_s / one_s, time_s / one_s, EXACT, 1)
    share = share_of_work(row["batch"], ranks, one["batch"])
    if not certainly_below(ratio, share):
        return
    where, tables = _label(row), (row["table"],)
    least = f"{number(time_s)} s, where the work that is left to a rank takes {number(one_s * share)} s"
    yield Finding(SHARE, where, least, NUMBERS, tables)
    speedup = one_s / time_s * row["batch"] / one["batch"]
    yield Finding(SUPERLINEAR, where, f"{number(speedup, 3)} times the one-rank rate", NUMBERS, tables)
    if row["scaling"] == STRONG:
        fraction = karp_flatt(one_s / time_s, ranks)
        yield Finding(SERIAL, where, f"Karp-Flatt serial fraction {number(fraction, 3)}", NUMBERS, tables)
    else:
        words = f"{number(time_s)} s after {number(one_s)} s on one rank, with the same work a rank"
        yield Finding(WEAK_FALLS, where, words, NUMBERS, tables)


def _printed(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Table 2's ranges, and printed sums."""
    local = document["local_pre_experiment"]
    covered = {image for start, stop in local["batch_ranges_printed"] for image in range(start, stop)}
    held = local["output_shape_printed"][0]
    if len(covered) != held:
        twice = hypotheses.twice_divided(local["batch"], local["processes"])
        words = (
            f"the printed ranges cover {len(covered)} images, the printed output holds {held}; floor(floor(B/N)/N) is "
            f"{twice:.0f} a rank"
        )
        where = f"{plural(local['processes'], 'rank')}, B = {local['batch']}"
        yield Finding(COVERAGE, where, words, NUMBERS, (local["table"],))
    for row in document["runs"]:
        parts, total = row["memory_per_rank_mb"], row["memory_total_mb"]
        if parts and abs(sum(parts) - total) > SUM_TOLERANCE_MIB:
            words = f"{number(total)} is printed, the ranks' memory adds up to {number(sum(parts))}"
            yield Finding(SUMS, _label(row), words, NUMBERS, (row["table"],))


def _profile(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Table 3: the ranks that are outside MPI for less time than their share of the images needs."""
    profile, local = document["mpi_profile"], document["local_pre_experiment"]
    ranks = len(profile["rows"])
    images = local["batch"] // ranks
    least_s = least_seconds(_problem(document, images).flops)
    outside = {row["rank"]: row["app_time_s"] - row["mpi_time_s"] for row in profile["rows"]}
    short = {rank: seconds for rank, seconds in outside.items() if seconds < least_s}
    if short:
        one = next(row for row in _timed(document, "fat") if row["processes"] == 1)
        image_s = one["time_s"] / one["batch"]
        words = (
            f"{number(max(short.values()), 2)} s outside MPI at most, if this is the run of {local['table']}: its "
            f"{images} images a rank need {number(least_s, 2)} s on any core and {number(images * image_s, 3)} s at "
            "the rate of the fat cluster; the MPI% beside it is waiting"
        )
        where = f"ranks {', '.join(map(str, short))} of {ranks}"
        yield Finding(OUTSIDE_MPI, where, words, NUMBERS, (profile["table"],))


def _figures(document: Mapping[str, Any]) -> Iterator[Finding]:
    """What is drawn beside Gustafson's law, and what is like it."""
    for figure in document["figures"]:
        rows = [row for row in _timed(document, figure["cluster"]) if row["scaling"] == WEAK]
        if figure["speedup_drawn"] != "T1/TN" or not figure["beside"].startswith("Gustafson"):
            continue
        one, last = rows[0], rows[-1]
        ratio, ranks = one["time_s"] / last["time_s"], last["processes"]
        ideal = gustafson(document["parallel_fraction_assumed"], ranks)
        words = (
            f"T1/TN = {number(ratio, 3)} stands beside the scaled speedup {number(ideal, 2)} of the law; like for like "
            f"is N T1/TN = {number(ranks * ratio, 3)}"
        )
        yield Finding(AGAINST, f"{figure['cluster']} weak, N = {ranks}", words, NUMBERS, (figure["figure"],))


def _tables(document: Mapping[str, Any], cluster: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row["table"] for row in _timed(document, cluster)))


def _work(evidence: ClusterEvidence) -> Iterator[Finding]:
    best, second = evidence.work[:2]
    tables = _tables(paper.document(), evidence.cluster)
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
        yield Finding(SHARE, f"{evidence.cluster}, all rows", words, NUMBERS, tables)


def _named(evidence: ClusterEvidence, name: str) -> Fitted:
    return next(fitted for fitted in evidence.work if fitted.name == name)


def _memory(evidence: ClusterEvidence) -> Iterator[Finding]:
    best, second = evidence.memory[:2]
    if best.name != hypotheses.TWICE or not evidence.memory_separated:
        return
    honest = next(fitted for fitted in evidence.memory if fitted.name == hypotheses.ALL_WORK)
    _, label, published, needed = min(
        (mib / expected, row.label, mib, expected)
        for row in evidence.memory_rows
        for mib, expected in zip(row.mib, honest.expected[row.label], strict=True)
    )
    words = (
        f"all {len(evidence.memory_rows)} rows fit within {number(best.worst_mib, 2)} MiB if a rank holds {best.name}; "
        f"if it holds {second.name}, they miss by up to {number(second.worst_mib, 2)} MiB ({label}: a rank has "
        f"{number(published, 3)} MiB and would need {number(needed, 3)})"
    )
    tables = _tables(paper.document(), evidence.cluster)
    yield Finding(MEMORY, f"{evidence.cluster}, all rows", words, NUMBERS, tables)


def _untold_memory(evidence: Sequence[ClusterEvidence]) -> Iterator[str]:
    for each in evidence:
        best = each.memory[0]
        if best.name == hypotheses.INPUT_ALONE:
            yield (
                f"{sentence(MEMORY)}: the {len(each.memory_rows)} rows of the {each.cluster} cluster hold "
                f"{best.name} (within {number(best.worst_mib, 2)} MiB): they were read too early to tell anything of "
                "the work."
            )


def _replayed(sweep: RecordedSweep) -> Iterator[Finding]:
    """Whether the replay's CPU seconds of convolve follow the twice divided batch."""
    for series in sweep.series:
        rows = [row for row in replay.rows(series) if _cpu(row) is not None]
        for backend in dict.fromkeys(row.backend for row in rows):
            those = [row for row in rows if row.backend == backend and row.ranks > 1 and row.work > 0.0]
            if not those:
                continue
            worst = max(abs(found.value / row.work - 1.0) for row in those if (found := _cpu(row)))
            follows = "follow" if worst <= FOLLOWS else "do not follow"
            counts = ", ".join(str(row.ranks) for row in those)
            even = ", at equal core speed," if all(row.even_cpu for row in those) else ""
            words = (
                f"the replay's CPU seconds of convolve{even} {follows} floor(floor(B/N)/N) at N = {counts} (off by "
                f"{worst:.1%} at most)"
            )
            ids = tuple(run_id for row in those for run_id in row.run_ids)
            yield Finding(SHARE, f"{sweep.name}: {series.name}, {backend}", words, REPLAY, ids)


def _cpu(row: replay.ReplayRow) -> Estimate | None:
    """At equal core speed where the records tell it."""
    return row.even_cpu or row.convolve_cpu


def _unexplained(document: Mapping[str, Any], evidence: Sequence[ClusterEvidence]) -> Iterator[str]:
    """What no hypothesis here accounts for."""
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
        if slower / faster > 1.0 + LONE_MARGIN:
            yield (
                f"Two runs with the same parameters ({row['cluster']}, B = {row['batch']}, N = {row['processes']}) are "
                f"published as {number(slower)} and {number(faster)} s: {slower / faster - 1.0:.0%} apart."
            )


def _killed(document: Mapping[str, Any]) -> Iterator[str]:
    usable = next(claim for claim in document["claims"] if "usable_gb" in claim)
    for row in document["runs"]:
        if row["status"] != paper.KILLED:
            continue
        found = predict(_problem(document, row["batch"]), Grid(batch=row["processes"]), "scatter-gather")
        arrays_gb = sum(found.array_bytes) / 1e9
        if arrays_gb < usable["usable_gb"]:
            yield (
                f"{_label(row)} was killed; '{usable['claim'].split(';')[0]}' does not explain it: all arrays of an "
                f"honest run take {number(arrays_gb, 2)} GB together."
            )
