"""Findings that follow from the paper's printed numbers alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from results.audit import gates
from results.audit.gates import Finding, certainly_below, least_seconds, share_of_work
from results.audit.paper import published
from results.audit.paper.hypotheses import twice_divided
from results.estimates import EXACT, Estimate
from results.formats import number, plural
from results.records.sweep import STRONG, WEAK
from results.scaling.laws import gustafson, karp_flatt
from workload.domain.problem import Problem

SUM_TOLERANCE_MIB = 1.0  # printed values are rounded


def findings(document: Mapping[str, Any]) -> Iterator[Finding]:
    """All findings in results/published/tables.json."""
    yield from against_one_rank(document)
    yield from ranges_and_sums(document)
    yield from mpi_profile(document)
    yield from beside_gustafson(document)


def tested(document: Mapping[str, Any]) -> dict[str, int]:
    """How many cases each gate has in the printed tables and figures."""
    rows = [row for cluster in published.CLUSTERS for row in timed_rows(document, cluster) if row["processes"] > 1]
    strong = sum(row["scaling"] == STRONG for row in rows)
    return {
        gates.SHARE: len(rows),
        gates.SUPERLINEAR: len(rows),
        gates.SERIAL: strong,
        gates.WEAK_FALLS: len(rows) - strong,
        gates.COVERAGE: 1,
        gates.SUMS: sum(bool(row["memory_per_rank_mb"]) for row in document["runs"]),
        gates.OUTSIDE_MPI: len(document["mpi_profile"]["rows"]),
        gates.AGAINST: len(document["figures"]),
    }


def problem_of(document: Mapping[str, Any], batch: int) -> Problem:
    sizes = {name: size for name, size in document["problem"].items() if name != "dtype"}
    return Problem(batch=batch, **sizes)


def timed_rows(document: Mapping[str, Any], cluster: str) -> list[Mapping[str, Any]]:
    return [row for row in document["runs"] if row["cluster"] == cluster and row["time_s"] is not None]


def label_of(row: Mapping[str, Any]) -> str:
    return f"{row['cluster']} {row['scaling']}, N = {row['processes']}, B = {row['batch']}"


def against_one_rank(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Compares each multi-rank row with the one-rank row of its series."""
    for cluster in published.CLUSTERS:
        rows = timed_rows(document, cluster)
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
    where, tables = label_of(row), (row["table"],)
    least = f"{number(time_s)} s, where the work that is left to a rank takes {number(one_s * share)} s"
    yield Finding(gates.SHARE, where, least, tables, certain=False)
    speedup = one_s / time_s * row["batch"] / one["batch"]
    yield Finding(gates.SUPERLINEAR, where, f"{number(speedup, 3)} times the one-rank rate", tables, certain=False)
    if row["scaling"] == STRONG:
        fraction = karp_flatt(one_s / time_s, ranks)
        yield Finding(gates.SERIAL, where, f"Karp-Flatt serial fraction {number(fraction, 3)}", tables, certain=False)
    else:
        words = f"{number(time_s)} s after {number(one_s)} s on one rank, with the same work a rank"
        yield Finding(gates.WEAK_FALLS, where, words, tables, certain=False)


def ranges_and_sums(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Checks the ranges of Table 2, and printed sums."""
    local = document["local_pre_experiment"]
    covered = {image for start, stop in local["batch_ranges_printed"] for image in range(start, stop)}
    held = local["output_shape_printed"][0]
    if len(covered) != held:
        twice = twice_divided(local["batch"], local["processes"])
        words = (
            f"the printed ranges cover {len(covered)} images, the printed output holds {held}; floor(floor(B/N)/N) is "
            f"{twice:.0f} a rank"
        )
        where = f"{plural(local['processes'], 'rank')}, B = {local['batch']}"
        yield Finding(gates.COVERAGE, where, words, (local["table"],))
    for row in document["runs"]:
        parts, total = row["memory_per_rank_mb"], row["memory_total_mb"]
        if parts and abs(sum(parts) - total) > SUM_TOLERANCE_MIB:
            words = f"{number(total)} is printed, the ranks' memory adds up to {number(sum(parts))}"
            yield Finding(gates.SUMS, label_of(row), words, (row["table"],))


def mpi_profile(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Finds ranks in Table 3 that spend less time outside MPI than their images need."""
    profile, local = document["mpi_profile"], document["local_pre_experiment"]
    ranks = len(profile["rows"])
    images = local["batch"] // ranks
    least_s = least_seconds(problem_of(document, images).flops)
    outside = {row["rank"]: row["app_time_s"] - row["mpi_time_s"] for row in profile["rows"]}
    short = {rank: seconds for rank, seconds in outside.items() if seconds < least_s}
    if short:
        one = next(row for row in timed_rows(document, "fat") if row["processes"] == 1)
        image_s = one["time_s"] / one["batch"]
        words = (
            f"{number(max(short.values()), 2)} s outside MPI at most, if this is the run of {local['table']}: its "
            f"{images} images a rank need {number(least_s, 2)} s on any core and {number(images * image_s, 3)} s at "
            "the rate of the fat cluster; the MPI% beside it is waiting"
        )
        where = f"ranks {', '.join(map(str, short))} of {ranks}"
        yield Finding(gates.OUTSIDE_MPI, where, words, (profile["table"],), certain=False)


def beside_gustafson(document: Mapping[str, Any]) -> Iterator[Finding]:
    """Finds figures that draw efficiency beside Gustafson's scaled speedup."""
    for figure in document["figures"]:
        rows = [row for row in timed_rows(document, figure["cluster"]) if row["scaling"] == WEAK]
        if figure["speedup_drawn"] != "T1/TN" or not figure["beside"].startswith("Gustafson"):
            continue
        one, last = rows[0], rows[-1]
        ratio, ranks = one["time_s"] / last["time_s"], last["processes"]
        ideal = gustafson(document["parallel_fraction_assumed"], ranks)
        words = (
            f"T1/TN = {number(ratio, 3)} stands beside the scaled speedup {number(ideal, 2)} of the law; like for like "
            f"is N T1/TN = {number(ranks * ratio, 3)}"
        )
        yield Finding(
            gates.AGAINST, f"{figure['cluster']} weak, N = {ranks}", words, (figure["figure"],), certain=False
        )
