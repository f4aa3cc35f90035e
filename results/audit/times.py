"""Gates on the times of one launch: its clocks, its sections and its ranks must agree. Pure.

Each gate yields the words for every case that it tested, empty where the case holds. The slack is several times what
the recorded sweeps (results/measured) need. A rank that the system holds up makes the others wait: milliseconds on a
machine of its own, and a scheduler's period where other work or a limit takes the core away.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping

from results.formats import number
from results.records.launch import RecordedLaunch
from results.records.marks import CLOCK_TOLERANCE, OVERSUBSCRIBED, STREAMED, SUSPECT
from results.records.measurement import Machine, RankRepeat, Repeat

ROUNDING = 1e-6  # relative, and seconds: sums of the same readings
FORWARD_PARTS = ("distribute", "convolve", "collect")
SECTIONS_SHARE = 0.02
LENGTH_SHARE = 0.05
HELD_UP_S, DISTURBED_S = 0.005, 0.1  # that a rank may be held up in the median repeat of a launch
STEAL_SHARE = 0.01
WALL_SHARE = 0.01  # by which two clocks may measure the same run differently


def forward(launch: RecordedLaunch) -> Iterator[str]:
    """The forward time against distribute, convolve and collect of each rank and repeat."""
    for repeat in (*launch.warmups, *launch.repeats):
        for rank in repeat.ranks:
            parts_s = sum(rank.parts_s[part] for part in FORWARD_PARTS)
            below = repeat.forward_s < parts_s * (1.0 - ROUNDING) - ROUNDING
            yield f"{_s(repeat.forward_s)} s, but rank {rank.rank}'s parts take {_s(parts_s)} s" if below else ""


def sections(launch: RecordedLaunch) -> Iterator[str]:
    """The total time against load, forward and save, in the median of the timed repeats."""
    if launch.marks & {OVERSUBSCRIBED, STREAMED}:
        return
    gap_s = statistics.median(repeat.total_s - _sections_s(repeat) for repeat in launch.repeats)
    total_s = launch.median_s("total_s")
    apart = abs(gap_s) > SECTIONS_SHARE * total_s + held_up_s(launch)
    yield f"total {_s(total_s)} s, which its sections miss by {_s(gap_s)} s" if apart else ""


def sums(launch: RecordedLaunch) -> Iterator[str]:
    """Each rank's time against its phases and waiting, each clock of a repeat against the longest of its ranks."""
    for repeat in (*launch.warmups, *launch.repeats):
        for rank in repeat.ranks:
            yield _unlike(f"rank {rank.rank}'s time", rank.app_s, "its phases and waiting", sum(rank.parts_s.values()))
        yield _unlike("the total", repeat.total_s, "its longest rank", max(rank.app_s for rank in repeat.ranks))
        convolve_s = max(rank.parts_s["convolve"] for rank in repeat.ranks)
        yield _unlike("convolve", repeat.convolve_s, "its longest rank", convolve_s)


def length(launch: RecordedLaunch) -> Iterator[str]:
    """How far the ranks' own times of a repeat, without saving, lie apart in the median of the timed repeats."""
    if launch.run.ranks == 1 or launch.marks & {OVERSUBSCRIBED, STREAMED}:
        return
    excess_s = statistics.median(_apart_s(repeat) - LENGTH_SHARE * repeat.total_s for repeat in launch.repeats)
    apart = excess_s > held_up_s(launch)
    repeat = max(launch.repeats, key=_apart_s)
    shortest, longest = min(map(_own_s, repeat.ranks)), max(map(_own_s, repeat.ranks))
    yield f"one rank measures {_s(shortest)} s where another measures {_s(longest)} s" if apart else ""


def clocks(launch: RecordedLaunch) -> Iterator[str]:
    """MPI's clock against the system's, over the run."""
    if launch.clocks_s is None:
        return
    wtime_s, monotonic_s = launch.clocks_s
    apart = abs(wtime_s - monotonic_s) > CLOCK_TOLERANCE * monotonic_s
    yield f"{_s(wtime_s)} s by MPI's, {_s(monotonic_s)} s by the system's" if apart else ""


def wall(launch: RecordedLaunch) -> Iterator[str]:
    """All repeats together against the run, by its own clock and by the head's."""
    repeats_s = sum(repeat.total_s for repeat in (*launch.warmups, *launch.repeats))
    for name, run_s in (("its ranks", launch.clocks_s[1] if launch.clocks_s else None), ("the head", launch.wall_s)):
        if run_s is not None:
            longer = repeats_s > run_s * (1.0 + WALL_SHARE)
            yield f"repeats of {_s(repeats_s)} s in a run of {_s(run_s)} s by the clock of {name}" if longer else ""
    if launch.clocks_s and launch.wall_s is not None:
        inner_s, outer_s = launch.clocks_s[1], launch.wall_s
        longer = inner_s > outer_s * (1.0 + WALL_SHARE) + HELD_UP_S
        yield f"a run of {_s(outer_s)} s, of which its ranks measured {_s(inner_s)} s" if longer else ""


def cpu(launch: RecordedLaunch) -> Iterator[str]:
    """CPU time against the wall time of each rank and repeat, as the mark has it."""
    yield "a rank used more CPU time than its threads can in its wall time" if SUSPECT in launch.marks else ""


def held_up_s(launch: RecordedLaunch) -> float:
    """Seconds that a rank may be held up: more where other work, a limit or other virtual machines took its core."""
    wall_s = launch.wall_s or math.inf
    return DISTURBED_S if any(_disturbed(machine, wall_s) for machine in launch.machines) else HELD_UP_S


def _disturbed(machine: Machine, wall_s: float) -> bool:
    details = machine.details
    threads, load, steal_s, usable = (details.get(key) for key in ("threads", "load_1m", "steal_s", "usable"))
    if isinstance(usable, Mapping) and usable.get("quota") is not None:
        return True
    if not isinstance(threads, int) or not isinstance(load, (int, float)) or not isinstance(steal_s, (int, float)):
        return True
    return load > threads or steal_s > STEAL_SHARE * wall_s * threads


def _sections_s(repeat: Repeat) -> float:
    load_s, save_s = (max(rank.parts_s[part] for rank in repeat.ranks) for part in ("load", "save"))
    return load_s + repeat.forward_s + save_s


def _apart_s(repeat: Repeat) -> float:
    own_s = [_own_s(rank) for rank in repeat.ranks]
    return max(own_s) - min(own_s)


def _own_s(rank: RankRepeat) -> float:
    """Without saving: nobody waits for who saves."""
    return rank.app_s - rank.parts_s["save"]


def _unlike(name: str, seconds: float, other: str, expected_s: float) -> str:
    if abs(seconds - expected_s) <= ROUNDING * expected_s + ROUNDING:
        return ""
    return f"{name} is {_s(seconds)} s, {other} {_s(expected_s)} s"


def _s(seconds: float) -> str:
    return number(seconds, 4)
