"""How noisy a sweep's times are: spread of a point, outliers, drift over the sweep, and what it can resolve.

Outliers are marked, never dropped: the median of a launch already bears them.
"""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from results.estimates import CONFIDENCE, MIN_LAUNCHES
from results.records.launch import Launch
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSweep

FENCE = 1.5  # quartile distances beyond which a repeat is marked (Tukey 1977)
DRIFT_PROBABILITY = 0.01  # a drift is told where chance alone would show it less often
STEAL_SHARE = 0.01  # of a run's processor time taken by other virtual machines
CANARY = "canary"
CANARY_SHARE = 0.1  # of the fastest, by which a node's canary may be slower
SLOW_SHARE = 0.1  # of the fastest core in runs alike, by which another may be slower
LOAD_BEYOND = 1.0  # processes at work beyond the most that a run of the sweep has


@dataclass(frozen=True)
class Outlier:
    """A repeat outside Tukey's fences of its point, seconds of forward time."""

    run_id: str
    repeat: int
    forward_s: float


@dataclass(frozen=True)
class TimeSpread:
    """Quartiles of the forward times of all repeats of a point (seconds), and its outliers."""

    low_s: float
    quartiles_s: tuple[float, float, float]
    high_s: float
    outliers: tuple[Outlier, ...]


@dataclass(frozen=True)
class Drift:
    """Change of log time from the first to the last run of the sweep, and how probable one as large is by chance."""

    change: float
    probability: float

    @property
    def told(self) -> bool:
        return self.probability < DRIFT_PROBABILITY


@dataclass(frozen=True)
class Resolution:
    """The smallest relative difference of two points' times that the sweep tells from noise at CONFIDENCE.

    `noise`: standard deviation of log time between launches, pooled over points; `launches`: a point's median number.
    """

    noise: float
    launches: float
    smallest: float


def spread(point: RecordedPoint) -> TimeSpread | None:
    """None where no launch is ok."""
    repeats = [
        (launch.run_id, index, repeat.forward_s)
        for launch in point.timed
        for index, repeat in enumerate(launch.repeats)
    ]
    if not repeats:
        return None
    times = sorted(time for _, _, time in repeats)
    low, middle, high = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    below, above = low - FENCE * (high - low), high + FENCE * (high - low)
    outliers = tuple(Outlier(*repeat) for repeat in repeats if not below <= repeat[2] <= above)
    return TimeSpread(times[0], (low, middle, high), times[-1], outliers)


def drift(points: Iterable[RecordedPoint]) -> Drift | None:
    """Regression of log time on the order of the runs, each point about its own mean; None with too few launches."""
    from scipy.stats import t

    pairs: list[tuple[float, float]] = []
    groups = 0
    for point in points:
        if len(point.counting) < 2:
            continue
        groups += 1
        orders = [float(launch.sequence) for launch in point.counting]
        logs = [math.log(launch.median_s("forward_s")) for launch in point.counting]
        pairs += zip(_centred(orders), _centred(logs), strict=True)
    freedom = len(pairs) - groups - 1
    square = math.fsum(order**2 for order, _ in pairs)
    if freedom < 1 or square == 0.0:
        return None
    slope = math.fsum(order * log for order, log in pairs) / square
    left = math.fsum((log - slope * order) ** 2 for order, log in pairs)
    span = max(order for order, _ in pairs) - min(order for order, _ in pairs)
    if left == 0.0:
        return Drift(slope * span, 1.0 if slope == 0.0 else 0.0)
    statistic = slope / math.sqrt(left / freedom / square)
    return Drift(slope * span, 2.0 * float(t.sf(abs(statistic), freedom)))


def resolution(points: Iterable[RecordedPoint]) -> Resolution | None:
    """From Student's t with the launches of two typical points; None where none has MIN_LAUNCHES of them."""
    from scipy.stats import t

    logs = [[math.log(time) for time in point.medians_s()] for point in points if len(point.counting) >= MIN_LAUNCHES]
    if not logs:
        return None
    freedom = sum(len(times) - 1 for times in logs)
    noise = math.sqrt(math.fsum((len(times) - 1) * statistics.variance(times) for times in logs) / freedom)
    launches = statistics.median(len(times) for times in logs)
    quantile = float(t.ppf(0.5 + CONFIDENCE / 2.0, freedom))
    return Resolution(noise, launches, math.expm1(quantile * noise * math.sqrt(2.0 / launches)))


def warnings(sweep: RecordedSweep) -> list[str]:
    """One line for each sign that something else was at work on the machines."""
    lines = []
    found = drift(sweep.points)
    if found is not None and found.told:
        lines.append(
            f"Drift: the same runs took {_longer(math.expm1(found.change))} at the end of the sweep than at its "
            f"beginning (by chance alone: p = {found.probability:.2g})."
        )
    busy = [launch.run_id for launch in sweep.launches if _loaded(launch, _most_processes(sweep))]
    if busy:
        lines.append(
            f"Load: before or during {len(busy)} of {len(sweep.launches)} runs a node had more processes at work than "
            f"any run of the sweep has (first: run {busy[0]}): other work disturbs the times."
        )
    stolen = [launch.run_id for launch in sweep.launches if _steal_share(launch) > STEAL_SHARE]
    if stolen:
        lines.append(
            f"Steal: in {len(stolen)} of {len(sweep.launches)} runs other virtual machines took more than "
            f"{STEAL_SHARE:.0%} of the processors' time (first: run {stolen[0]})."
        )
    return [*lines, *_slow_cores(sweep), *_canaries(sweep)]


def _longer(change: float) -> str:
    return f"{abs(change):.1%} {'longer' if change > 0.0 else 'less time'}"


def _slow_cores(sweep: RecordedSweep) -> Iterator[str]:
    """Runs in which a core did the yardstick more slowly than cores did it in runs of as many ranks with that backend.

    Fewer ranks at work may well run faster, by the clock or by the threads of a core: they are held against each other.
    """
    alike: dict[tuple[object, ...], list[tuple[str, list[float]]]] = {}
    for launch in sweep.launches:
        if speeds := _core_speeds(launch):
            key = (launch.run.backend, launch.run.ranks, launch.run.ranks_per_node)
            alike.setdefault(key, []).append((launch.run_id, speeds))
    slow, least = [], 1.0
    for launches in alike.values():
        fastest = max(max(speeds) for _, speeds in launches)
        shares = [(run_id, min(speeds) / fastest) for run_id, speeds in launches]
        slow += [run_id for run_id, share in shares if share < 1.0 - SLOW_SHARE]
        least = min([least, *(share for _, share in shares)])
    if slow:
        yield (
            f"Cores: in {len(slow)} of {sum(map(len, alike.values()))} runs a core did the same small piece of work "
            f"more slowly than in runs alike, at {least:.0%} of the fastest one's speed at the least (first: run "
            f"{slow[0]}): its clock, or another virtual machine on it. Steal time need not show that; the times of "
            "those runs hold it."
        )


def _core_speeds(launch: Launch) -> list[float]:
    """Of each rank, the median of its repeats: one reading of milliseconds says little."""
    of_ranks: dict[int, list[float]] = {}
    for repeat in launch.repeats:
        for rank in repeat.ranks:
            if rank.core_flops_per_s:
                of_ranks.setdefault(rank.rank, []).append(rank.core_flops_per_s)
    return [statistics.median(speeds) for speeds in of_ranks.values()]


def _canaries(sweep: RecordedSweep) -> list[str]:
    """Nodes whose fixed kernel did not run at the same rate round every block of runs, and canaries that failed."""
    rates: dict[str, list[float]] = {}
    lines = []
    for event in sweep.events:
        if event.get("event") != CANARY:
            continue
        if "failed" in event:
            lines.append(f"Canary: no answer {event.get('when')}: {event['failed']}.")
        found = event.get("multiply_adds_per_s")
        for node, rate in found.items() if isinstance(found, Mapping) else ():
            if isinstance(rate, (int, float)) and 0.0 < rate < math.inf:
                rates.setdefault(str(node), []).append(float(rate))
    for node, values in rates.items():
        change = min(values) / max(values) - 1.0
        if -change > CANARY_SHARE:
            lines.append(
                f"Canary: a fixed kernel on {node} ran at {min(values) / 1e9:.3g} to {max(values) / 1e9:.3g} G "
                f"multiply-adds/s round the {len(values)} blocks of runs ({100 * change:.0f} %): its speed changed."
            )
    return lines


def _centred(values: Sequence[float]) -> Iterator[float]:
    mean = statistics.fmean(values)
    return (value - mean for value in values)


def _most_processes(sweep: RecordedSweep) -> int:
    counts = [len(machine.placement) * launch.run.threads for launch in sweep.launches for machine in launch.machines]
    return max(counts, default=0)


def _loaded(launch: Launch, most: int) -> bool:
    loads = [machine.details.get("load_1m") for machine in launch.machines]
    return any(isinstance(load, (int, float)) and load > most + LOAD_BEYOND for load in loads)


def _steal_share(launch: Launch) -> float:
    """Largest share of a node's processor time, over the run, that went to other virtual machines."""
    wall_s = _wall_s(launch)
    shares = [0.0]
    for machine in launch.machines:
        steal_s, threads = machine.details.get("steal_s"), machine.details.get("threads")
        if isinstance(steal_s, (int, float)) and isinstance(threads, int) and threads > 0 and wall_s > 0.0:
            shares.append(steal_s / (wall_s * threads))
    return max(shares)


def _wall_s(launch: Launch) -> float:
    try:
        begun, ended = (datetime.datetime.fromisoformat(str(time)) for time in (launch.started_utc, launch.ended_utc))
        return (ended - begun).total_seconds()
    except (ValueError, TypeError):
        return 0.0
