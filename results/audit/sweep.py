"""The audit of a sweep: which of its numbers cannot be true, judged from its records and its ledger alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime

from results.audit import accounting, baselines, completeness, gates, gpus, ledger, rates, scaling, times
from results.audit.gates import Audit, Case, Count, Finding, count, findings, place
from results.formats import plural
from results.records.gpus import ProbedGpus
from results.records.launch import RecordedLaunch
from results.records.sweep import RecordedSweep
from workload.record.program import KIND as PROGRAM_KIND

LaunchGate = Callable[[RecordedLaunch], Iterator[str]]
LIGHT = "light"
LEFT_BEHIND = ("study.toml", "inventory.json")  # files that may be missing where records were copied
# Gates on one launch that is ok; those of its kind of experiment are added
LAUNCH_GATES: Mapping[str, LaunchGate] = {
    gates.FORWARD: times.forward,
    gates.SECTIONS: times.sections,
    gates.SUM: times.sums,
    gates.LENGTH: times.length,
    gates.CLOCKS: times.clocks,
    gates.WALL: times.wall,
    gates.CPU: times.cpu,
}
KIND_GATES: Mapping[str, Mapping[str, LaunchGate]] = {
    "convolution": {
        gates.CHECK: completeness.check,
        gates.COVERAGE: accounting.coverage,
        gates.MEMORY: accounting.memory,
        gates.PREDICTION: accounting.prediction,
        gates.BYTES: accounting.moved_bytes,
        gates.RATE: rates.yardstick,
        gates.OUTSIDE_MPI: rates.outside_mpi,
        gates.LIMIT: rates.limit,
    }
}
# Of a launch on GPUs, whose limits the sweep's ledger may have
GPU_GATES: Mapping[str, Callable[[RecordedLaunch, ProbedGpus | None], Iterator[str]]] = {
    gates.RATE: gpus.rate,
    gates.OUTSIDE_MPI: gpus.outside_mpi,
    gates.LIMIT: gpus.limit,
}
SWEEP_GATES: Mapping[str, Callable[[RecordedSweep], Iterator[Case]]] = {
    gates.LEDGER: ledger.records,
    gates.AGAIN: ledger.again,
    gates.LEFT_OUT: ledger.left_out,
    gates.ORDER: ledger.order,
    gates.COPIES: ledger.copies,
    gates.ELSEWHERE: baselines.elsewhere,
    gates.BASELINE: baselines.baselines,
}
CONSISTENT = "Records and a ledger that were changed consistently, in every part, pass every gate."


def audit_of(sweep: RecordedSweep, now: datetime | None = None) -> Audit:
    """Puts a sweep through all gates; `now` is when. Runs that are wrong on purpose are left out."""
    found: list[Finding] = []
    tested: dict[str, Count] = {}
    for gate, cases in _cases(sweep, now or datetime.now(UTC)).items():
        tested[gate] = count(cases)
        found += findings(gate, cases)
    return Audit(sweep.name, tuple(found), tested, _untold(sweep))


def _cases(sweep: RecordedSweep, now: datetime) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {gates.PARTS: [*_sweeps_parts(sweep)]}
    for gate, sweep_gate in SWEEP_GATES.items():
        found[gate] = [*sweep_gate(sweep)]
    found[gates.FUTURE] = [*ledger.dates(sweep, now)]
    for gate, cases in scaling.cases(sweep).items():
        found[gate] = [*cases]
    kinds = {launch.run.workload.kind for launch in sweep.launches} or {"convolution"}
    for gate in (*(gate for kind in kinds for gate in _launch_gates(kind)), gates.NODES):
        found[gate] = []
    for launch in sweep.launches:
        if launch.ok and not launch.experiment.why_uncounted(launch.run):
            _add(found, sweep, launch)
    return found


def _launch_gates(kind: str) -> Mapping[str, LaunchGate]:
    """The gates on a launch of that kind; a program that is not ours has no sections, repeats or clocks of ours."""
    if kind == PROGRAM_KIND:
        return {gate: LAUNCH_GATES[gate] for gate in (gates.WALL, gates.CPU)}
    return {**LAUNCH_GATES, **KIND_GATES.get(kind, {})}


def _add(found: dict[str, list[Case]], sweep: RecordedSweep, launch: RecordedLaunch) -> None:
    """Adds the cases of one launch; where a part of it is missing, nothing else is asked of it."""
    where = place(launch)
    parts = _of(launch, where, completeness.parts(launch))
    found[gates.PARTS] += parts
    if any(case.words for case in parts):
        return
    for gate, launch_gate in _launch_gates(launch.run.workload.kind).items():
        found[gate] += _of(launch, where, launch_gate(launch))
    if gpus.used(launch):
        limits = gpus.probed(sweep)
        for gate, gpu_gate in GPU_GATES.items():
            found[gate] += _of(launch, where, gpu_gate(launch, limits))
    if sweep.profile == LIGHT:
        for machine in launch.machines:
            words = "a node of the light cluster held two ranks or more" if len(machine.placement) > 1 else ""
            found[gates.NODES] += _of(launch, where, [words])


def _of(launch: RecordedLaunch, where: str, found: Iterable[str]) -> list[Case]:
    return [Case(where, (launch.run_id,), words) for words in found]


def _sweeps_parts(sweep: RecordedSweep) -> Iterator[Case]:
    """What could not be read of the sweep, and whether it has a ledger."""
    for problem in sweep.problems:
        file = problem.split()[0].rstrip(":,")
        yield Case(f"{sweep.name}: {file}", (), problem, certain=not problem.startswith(LEFT_BEHIND))
    words = "there is no ledger.jsonl: what ran, how often and in which order cannot be told"
    yield Case(f"{sweep.name}: ledger.jsonl", (), "" if sweep.events else words, certain=False)


def _untold(sweep: RecordedSweep) -> tuple[str, ...]:
    told = list(scaling.explained(sweep))
    if replays := sum(bool(launch.experiment.why_uncounted(launch.run)) for launch in sweep.launches):
        told.append(f"{plural(replays, 'run')} of the replay, wrong on purpose, went through no gate of its numbers.")
    if not any(launch.ok for launch in sweep.launches):
        told.append("No run is ok: there is nothing to audit.")
    return (*told, CONSISTENT)
