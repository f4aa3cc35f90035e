"""The methods of a sweep, to paste into a paper: machine, software, placement, launches, intervals and checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from results.estimates import CONFIDENCE, MIN_LAUNCHES
from results.formats import plural
from results.records.sweep import SIZE, STRONG, RecordedSeries, RecordedSweep
from results.report.summary import checked, marked, ran
from results.report.title import title
from results.scaling.disturbance import warnings
from results.table import escaped
from results.tables import looks
from results.tables.sweep.provenance import environment

GIB = 2**30


def markdown(sweeps: Sequence[RecordedSweep]) -> str:
    """Three paragraphs for each sweep, with text from records escaped."""
    parts = ["# Methods"]
    for sweep in sweeps:
        parts += [f"## {escaped(sweep.name)}"] if len(sweeps) > 1 else []
        parts += [escaped(" ".join(found)) for found in paragraphs(sweep)]
    return "\n\n".join(parts) + "\n"


def paragraphs(sweep: RecordedSweep) -> list[list[str]]:
    """The sentences of three: what was measured and where, how often and how intervals came about, what was checked."""
    known = {row[0]: row[1] for row in environment(sweep).rows}
    return [
        [
            f"We measured: {title([sweep])}.",
            *_machine(sweep),
            *_software(known),
            *_placement(sweep, known),
            *map(_series, sweep.series),
        ],
        [*_launches(sweep, known), *_intervals(sweep)],
        [ran(sweep), *checked(sweep), *marked(sweep), *warnings(sweep), *_code(known)],
    ]


def _machine(sweep: RecordedSweep) -> Iterator[str]:
    found = {machine.node: machine for launch in sweep.launches for machine in launch.machines}
    kinds: dict[str, list[str]] = {}
    for name, machine in found.items():
        memory = machine.details.get("memory_bytes")
        told = [
            str(machine.details.get("cpu_model") or "unknown processor"),
            f"{machine.details.get('cores')} cores and {machine.details.get('threads')} threads",
            f"{memory / GIB:.0f} GiB of memory" if isinstance(memory, int | float) else "",
            f"Linux {machine.details['kernel']}" if machine.details.get("kernel") else "",
        ]
        kinds.setdefault(", ".join(part for part in told if part), []).append(name)
    for kind, names in kinds.items():
        yield f"{plural(len(names), 'node')}: {kind}."


def _software(known: dict[str, str]) -> Iterator[str]:
    names = {"MPI": "", "Python": "Python ", "numpy": "numpy ", "BLAS": ""}
    told = [f"{word}{known[name]}" for name, word in names.items() if known.get(name)]
    if told:
        yield f"Software: {', '.join(told)}."


def _placement(sweep: RecordedSweep, known: dict[str, str]) -> Iterator[str]:
    counts: dict[int, set[int]] = {}
    for launch in sweep.launches:
        counts.setdefault(launch.run.nodes, set()).add(launch.run.ranks)
    launcher = f" by {known['Started by']}" if known.get("Started by") else ""
    yield (
        f"Ranks were started{launcher}; binding: {known.get('Binding') or 'unknown'}; threads a rank: "
        f"{known.get('Threads a rank') or 'unknown'}."
    )
    for nodes, ranks in sorted(counts.items()):
        yield f"Ranks on {plural(nodes, 'node')}: {', '.join(map(str, sorted(ranks)))}."


def _series(series: RecordedSeries) -> str:
    """The kind of scaling, the sizes, and what ratios stand against."""
    sizes = ", ".join(dict.fromkeys(point.size_text for point in series.points))
    variants = ", ".join(dict.fromkeys(point.variant.phrase for point in series.points))
    base = "the smallest rank count" if series.experiment.smallest_baseline else "one rank"
    against = {STRONG: f"; speedup is T1 / TN against {base} of the same {series.experiment.variant_words}", SIZE: ""}
    ratio = against.get(series.scaling, f"; weak efficiency is T1 / TN against {base}")
    return f"Series {series.name}: {series.scaling} scaling of {variants}; {sizes}{ratio}."


def _launches(sweep: RecordedSweep, known: dict[str, str]) -> Iterator[str]:
    counts = sorted({len(point.launches) for point in sweep.points})
    told = " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1])))) if counts else "no"
    which = "all points, and further rounds those that were not yet precise enough," if sweep.looks else "all points,"
    yield (
        f"Launches of a point, each a new start of all ranks: {told}; every round of launches took {which} in an "
        "order shuffled by a recorded seed."
    )
    if known.get("Repeats a launch"):
        warm = known.get("Warm-ups a launch") or "0"
        yield f"Timed repeats in a launch: {known['Repeats a launch']}, after {warm} untimed; their median counts."
    yield sweep.experiment.clocks_note
    yield from _stores(sweep)


def _stores(sweep: RecordedSweep) -> Iterator[str]:
    """Which stores were taken at how many points, and how long the others took."""
    found = [next((each.stores for each in point.launches if each.stores), None) for point in sweep.points]
    tried = [stores for stores in found if stores is not None and len(stores.convolve_s) > 1]
    parts = []
    for kind in sorted({stores.taken for stores in tried}):
        times = [stores.convolve_s for stores in tried if stores.taken == kind]
        ratios = [each[other] / each[kind] for each in times for other in each if other != kind and each[kind] > 0]
        spread = f"; others took {min(ratios):.2f} to {max(ratios):.2f} of their time" if ratios else ""
        parts.append(f"{kind} ones at {plural(len(times), 'point')}{spread}")
    if parts:
        yield f"Stores of y, tried by all ranks at once before the first launch of a point: {', '.join(parts)}."


def _intervals(sweep: RecordedSweep) -> Iterator[str]:
    yield (
        f"The value of a point is the geometric mean over launches. [low, high] is a {CONFIDENCE:.0%} interval over "
        "launches: Student's t in log time and, of a ratio, Welch's with the degrees of freedom of Welch and "
        f"Satterthwaite; (low to high) is the range, where there are fewer than {MIN_LAUNCHES} launches or they ran on "
        "cores of different speed."
    )
    yield from looks.notes(sweep.points)
    ranged = sum(point.cores_differ or len(point.timed) < MIN_LAUNCHES for point in sweep.points if point.timed)
    if ranged:
        yield f"Points with such a range: {ranged} of {len(sweep.points)}."


def _code(known: dict[str, str]) -> Iterator[str]:
    digest, commit = known.get("Workload digest"), known.get("Commit")
    if digest:
        at = f", commit {commit}" if commit else ""
        yield f"Measured by convscale (code {digest[:16]}{at}); every time, log and checksum is in the run records."
