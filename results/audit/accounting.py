"""Gates on what a convolution held, moved and covered, which follows from what was computed and how. Pure.

Each gate yields the words for every case that it tested, empty where the case holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from results.formats import number
from results.records.convolution import footprint_of, holds_shared_pages
from results.records.launch import RecordedLaunch
from results.records.marks import MEMORY_BOUND
from workload.domain.grid import Block, Span, covers_exactly, whole
from workload.movement.descriptions.footprint import Footprint

MIB = 2**20
ARRAYS_SHARE = 0.9  # of the predicted arrays that a resident peak must reach: the kernel counts pages late
# What a rank holds beyond its baseline may lie below and above its arrays: buffers of MPI, pages counted late. The
# recorded sweeps need 0.0 and 3 % and 20 MiB.
BELOW_SHARE, BELOW_BYTES = 0.05, 8 * MIB
ABOVE_SHARE, ABOVE_BYTES = 0.1, 64 * MIB


def coverage(launch: RecordedLaunch) -> Iterator[str]:
    """Blocks add up, and their output spans cover every element once."""
    problem = launch.convolution.problem
    done = sum(block.output_elements for block in launch.blocks)
    blocks = zip(launch.blocks, blocks_in(launch), strict=True)
    finished = [own for block, own in blocks if block.output_elements > 0]
    if done == problem.y_elements and covers_exactly(problem, finished):
        yield ""
        return
    yield f"the ranks' parts hold {done} of {problem.y_elements} output elements, or some of them twice"


def memory(launch: RecordedLaunch) -> Iterator[str]:
    """Each rank's peak against its input and output."""
    expected = _footprint(launch)
    if expected is None or _tells_nothing(launch):
        return
    for each in launch.memory:
        if each.peak_rss_bytes is not None:
            arrays = expected.array_bytes[each.rank]
            if each.peak_rss_bytes >= ARRAYS_SHARE * arrays:
                yield ""
                continue
            peak, least = number(each.peak_rss_bytes / MIB), number(arrays / MIB)
            yield f"rank {each.rank} peaked at {peak} MiB, but its input and output take {least} MiB"


def prediction(launch: RecordedLaunch) -> Iterator[str]:
    """What each rank held beyond its baseline against its arrays, below and above."""
    expected = _footprint(launch)
    if expected is None or _tells_nothing(launch):
        return
    for each in launch.memory:
        if each.peak_rss_bytes is not None:
            held, arrays = each.peak_rss_bytes - each.baseline_rss_bytes, expected.array_bytes[each.rank]
            least = arrays * (1.0 - BELOW_SHARE) - BELOW_BYTES
            most = arrays * (1.0 + ABOVE_SHARE) + ABOVE_BYTES
            if least <= held <= most:
                yield ""
                continue
            yield f"rank {each.rank} held {number(held / MIB)} MiB of arrays, which take {number(arrays / MIB)} MiB"


def moved_bytes(launch: RecordedLaunch) -> Iterator[str]:
    """Bytes sent and received in all calls, exactly: each byte that moves is counted at both ends."""
    expected = _footprint(launch)
    if expected is None:
        return
    counted = sum(call.bytes for call in launch.mpi_calls)
    moved = 2 * expected.moved_bytes * launch.convolution.repeats
    yield "" if counted == moved else f"the calls count {counted} bytes, where {moved} were to be sent and received"


def blocks_in(launch: RecordedLaunch) -> list[Block]:
    """The parts of the problem that the record's blocks name."""
    spans = vars(whole(launch.convolution.problem))
    return [Block(**{**spans, **{axis: Span(*span) for axis, span in block.spans.items()}}) for block in launch.blocks]


def _footprint(launch: RecordedLaunch) -> Footprint | None:
    """None for options that this version does not take."""
    try:
        return footprint_of(launch.convolution)
    except ValueError:
        return None


def _tells_nothing(launch: RecordedLaunch) -> bool:
    """Shared pages count in the rank that touched them, and pages on disk in none."""
    return holds_shared_pages(launch.convolution) or MEMORY_BOUND in launch.marks
