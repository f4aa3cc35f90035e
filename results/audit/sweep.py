"""The audit of a sweep: which of its numbers cannot be true, judged from its records alone. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from results.audit import convolution, gates
from results.audit.gates import Audit, Finding, certainly_below
from results.estimates import Estimate
from results.formats import estimate, number, plural
from results.records.launch import RecordedLaunch
from results.records.marks import MEMORY_BOUND, SUSPECT
from results.records.point import RecordedPoint
from results.records.sweep import STRONG, WEAK, RecordedSeries, RecordedSweep
from results.scaling.laws import karp_flatt
from results.scaling.line import lines
from results.scaling.speedup import Ratio, relative_speedup, weak_efficiency

LIGHT = "light"
# Further gates for one launch, by kind of experiment
LAUNCH_GATES: dict[str, Callable[[RecordedLaunch], Iterator[tuple[str, str]]]] = {
    "convolution": convolution.of_launch,
}
# Whether a cache explains more speedup than ranks, given a point and its one-rank point; by kind of experiment
CACHE_GATES: dict[str, Callable[[RecordedPoint, RecordedPoint], bool]] = {"convolution": convolution.fits_a_cache}


def audit_of(sweep: RecordedSweep) -> Audit:
    """Applies the gates to all series and all launches that are ok, but not to runs that are wrong on purpose."""
    found: list[Finding] = []
    for series in sweep.series:
        found += _scaling(series)
    for launch in sweep.launches:
        if launch.ok and not launch.experiment.why_uncounted(launch.run):
            found += _launch(sweep, launch)
    flagged = {finding.gate for finding in found}
    passed = tuple(gate for gate in gates.GATES if gate not in flagged | {gates.AGAINST, gates.SUMS})
    return Audit(sweep.name, _merged(found), passed, _untold(sweep))


def _untold(sweep: RecordedSweep) -> tuple[str, ...]:
    told = list(_superlinear_explained(sweep))
    if replays := sum(bool(launch.experiment.why_uncounted(launch.run)) for launch in sweep.launches):
        told.append(f"{plural(replays, 'run')} of the replay, wrong on purpose, went through no gate.")
    if not any(launch.ok for launch in sweep.launches):
        told.append("No run is ok: there is nothing to audit.")
    return tuple(told)


def _merged(found: list[Finding]) -> tuple[Finding, ...]:
    """Joins findings that differ in their evidence alone."""
    merged: dict[tuple[str, str, str], Finding] = {}
    for finding in found:
        key = (finding.gate, finding.where, finding.words)
        seen = merged.get(key)
        merged[key] = replace(seen, evidence=(*seen.evidence, *finding.evidence)) if seen else finding
    return tuple(merged.values())


def _scaling(series: RecordedSeries) -> Iterator[Finding]:
    for line in lines(series):
        for point in line.points:
            if point.run.ranks > 1 and point.counting:
                yield from _strong(series, point, line.points) if series.scaling == STRONG else ()
                yield from _weak(series, point, line.points) if series.scaling == WEAK else ()


def _strong(series: RecordedSeries, point: RecordedPoint, points: tuple[RecordedPoint, ...]) -> Iterator[Finding]:
    ratio = relative_speedup(point, points)
    if ratio.estimate is None or ratio.baseline is None:
        return
    if not _superlinear(ratio, point) or _cause(point, ratio.baseline):
        return
    ranks, where = point.run.ranks, _where(series, point)
    evidence = (*ratio.baseline.run_ids, *point.run_ids)
    speedup = estimate(ratio.estimate, 3)
    yield Finding(gates.SHARE, where, f"T1 / TN = {speedup} leaves less time than 1/{ranks} of T1", evidence)
    yield Finding(gates.SUPERLINEAR, where, f"speedup {speedup} on {ranks} ranks; no cause in evidence", evidence)
    fraction = karp_flatt(ratio.estimate.value, ranks)
    yield Finding(gates.SERIAL, where, f"Karp-Flatt serial fraction {number(fraction, 3)}", evidence)


def _weak(series: RecordedSeries, point: RecordedPoint, points: tuple[RecordedPoint, ...]) -> Iterator[Finding]:
    ratio = weak_efficiency(point, points)
    if ratio.estimate is None or ratio.baseline is None:
        return
    if certainly_below(_inverse(ratio.estimate), 1.0):
        where, evidence = _where(series, point), (*ratio.baseline.run_ids, *point.run_ids)
        words = f"TN / T1 = {estimate(_inverse(ratio.estimate), 3)} with the same work a rank"
        yield Finding(gates.WEAK_FALLS, where, words, evidence)
        yield Finding(gates.SHARE, where, words, evidence)


def _superlinear(ratio: Ratio, point: RecordedPoint) -> bool:
    """Whether the speedup lies above the rank count beyond its noise."""
    return ratio.estimate is not None and certainly_below(_inverse(ratio.estimate), 1.0 / point.run.ranks)


def _cause(point: RecordedPoint, baseline: RecordedPoint) -> str:
    """What may explain more speedup than ranks, according to the records; empty if nothing does."""
    if any(MEMORY_BOUND in launch.marks for launch in baseline.launches):
        return "the one-rank run waited for pages from disk"
    if (fits := CACHE_GATES.get(point.run.workload.kind)) and fits(point, baseline):
        return "the ranks' parts fit a cache, the one-rank run's input and output do not"
    return ""


def _superlinear_explained(sweep: RecordedSweep) -> Iterator[str]:
    """One line for each speedup above the rank count that the records explain."""
    strong = [(series, line) for series in sweep.series if series.scaling == STRONG for line in lines(series)]
    for series, line in strong:
        for point in line.points:
            ratio = relative_speedup(point, line.points)
            if point.run.ranks == 1 or ratio.baseline is None or not _superlinear(ratio, point):
                continue
            if cause := _cause(point, ratio.baseline):
                speedup = estimate(ratio.estimate, 3)
                yield f"{_where(series, point)}: speedup {speedup} is not flagged: {cause}."


def _inverse(value: Estimate) -> Estimate:
    return value.inverse(1.0)


def _where(series: RecordedSeries, point: RecordedPoint) -> str:
    return f"{series.name}: {point.variant.full_label}, {plural(point.run.ranks, 'rank')}, {point.size_text}"


def _launch(sweep: RecordedSweep, launch: RecordedLaunch) -> Iterator[Finding]:
    point = RecordedPoint((launch,))
    where = f"{point.variant.label}, {plural(launch.run.ranks, 'rank')}, {point.size_text}"
    own = LAUNCH_GATES.get(launch.run.workload.kind)
    found = [*own(launch)] if own else []
    if SUSPECT in launch.marks:
        threads = plural(launch.run.threads, "thread")
        found.append((gates.CPU, f"a rank used more gates.CPU time than {threads} can in its wall time"))
    if sweep.profile == LIGHT and any(len(machine.placement) > 1 for machine in launch.machines):
        found.append((gates.NODES, "a node of the light cluster held two ranks or more"))
    for gate, words in found:
        yield Finding(gate, where, words, (launch.run_id,))
