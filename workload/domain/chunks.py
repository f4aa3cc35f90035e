"""Blocks cut into pieces along the batch, to be streamed. Pure arithmetic, standard library only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace

from workload.domain.grid import Block, Span, cut

CHUNK_BYTES = 64 * 2**20  # x of one step, unless the options say otherwise


def chunk_bytes_of(options: Mapping[str, int | str | bool]) -> int:
    """The option `chunk_bytes`. Raises ValueError unless it is a positive whole number."""
    value = options.get("chunk_bytes", CHUNK_BYTES)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"options.chunk_bytes = {value!r} is not a size: give a whole number of bytes of at least 1")
    return value


def pieces_of(blocks: Sequence[Block], chunk_bytes: int) -> int:
    """The number of steps to cut the blocks into, so that x of one step, over all ranks, is within `chunk_bytes`.

    A step has at least one image of each block, so many ranks or large images can exceed the bound. The block with
    the fewest images limits the number of steps.
    """
    shortest = min(len(block.batch) for block in blocks)

    def step_bytes(steps: int) -> int:
        return sum(piece(block, steps, 0).x_bytes for block in blocks)

    # the smallest number of steps that fits: bytes fall as steps rise
    return bisect_left(range(1, shortest), True, key=lambda steps: step_bytes(steps) <= chunk_bytes) + 1


def piece(block: Block, steps: int, step: int) -> Block:
    """Step `step` of a block: some of its images, in order. Steps differ by at most one image."""
    span = cut(len(block.batch), steps, step)
    return replace(block, batch=Span(block.batch.start + span.start, block.batch.start + span.stop))
