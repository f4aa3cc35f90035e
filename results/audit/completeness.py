"""Gates on what a record must have: every repeat, every rank in each list, and a check of the whole answer. Pure.

Each gate yields the words for every case that it tested, empty where the case holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from results.formats import number, plural
from results.records.launch import RecordedLaunch


def parts(launch: RecordedLaunch) -> Iterator[str]:
    """Repeats as many as the run says, and every rank once in each list that has an entry for each rank."""
    if launch.measured:
        yield _all_ranks(launch, "ranks", [item["rank"] for item in launch.measured["ranks"]])
        return
    run = launch.convolution
    for name, found, wanted in (
        ("timed repeats", len(launch.repeats), run.repeats),
        ("warm-ups", len(launch.warmups), run.warmups),
    ):
        yield "" if found == wanted else f"{found} of {wanted} {name}"
    for repeat in (*launch.warmups, *launch.repeats):
        yield _all_ranks(launch, "a repeat", [rank.rank for rank in repeat.ranks])
    yield _all_ranks(launch, "memory", [memory.rank for memory in launch.memory])
    yield _all_ranks(launch, "blocks", [block.rank for block in launch.blocks])
    placed = [rank for machine in launch.machines for rank, _, _ in machine.placement]
    yield _all_ranks(launch, "the placement on machines", placed)
    if run.ranks > 1:
        yield _all_ranks(launch, "MPI calls", {call.rank for call in launch.mpi_calls})


def check(launch: RecordedLaunch) -> Iterator[str]:
    """The check of the answer: passed, after every repeat, all of the output's rows and some single elements."""
    found = launch.check
    if found is None:
        yield "the outcome is ok, but no answer was checked"
        return
    run = launch.convolution
    worst = found.worst_error_over_tolerance
    yield "" if found.passed else "the outcome is ok, but the answer was wrong"
    right = worst is not None and worst <= 1.0
    yield "" if right else f"the worst error is {number(worst)} of the tolerance"
    repeats = 1 if launch.streamed else run.warmups + run.repeats  # a streamed answer is checked in a repeat of its own
    yield "" if found.repeats_checked == repeats else f"{found.repeats_checked} of {plural(repeats, 'repeat')} checked"
    problem = run.problem
    rows = problem.batch * problem.out_channels * problem.out_height
    yield "" if found.rows_checked >= rows else f"{found.rows_checked} of {rows} rows checked"
    yield "" if found.spots > 0 else "no single element was checked"


def _all_ranks(launch: RecordedLaunch, name: str, found: Collection[int]) -> str:
    ranks = launch.run.ranks
    if sorted(found) == list(range(ranks)):
        return ""
    missing = sorted(set(range(ranks)) - set(found))
    if missing:
        return f"{name} without rank {', '.join(map(str, missing))} of {ranks}"
    return f"{name} of {len(found)} ranks, where the run has {ranks}"
