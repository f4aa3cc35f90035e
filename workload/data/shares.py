"""Who does which part of the check: y that one rank hands over is worked out, and looked at, by all that can. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from workload.domain.grid import Block, Span, cut

EVEN = 1.5  # times its fair share of all rows that a rank may hand over and still work alone


@dataclass(frozen=True)
class Share:
    """A part of `whole`, a block that `owner` hands over.

    `computer` works out what it should be; `checker` compares y with that.
    """

    block: Block
    whole: Block
    owner: int
    computer: int
    checker: int


def share_out(announced: Sequence[Sequence[Block]], readers: Sequence[Sequence[int]]) -> list[Share]:
    """Shares of all blocks, which are `announced` by rank.

    `readers` are, for each rank, those that can read its y at little cost, itself included. A rank that hands over
    more than its fair share has it worked out by all ranks and checked by its readers; the others do so themselves.
    """
    ranks = len(announced)
    rows = [sum(math.prod(block.y_shape[:3]) for block in blocks) for blocks in announced]
    found: list[Share] = []
    for owner, blocks in enumerate(announced):
        if rows[owner] * ranks <= EVEN * sum(rows):
            found += [Share(block, block, owner, owner, owner) for block in blocks]
            continue
        able = readers[owner]
        for block in blocks:
            parts = list(_parts(block, ranks))
            found += [
                Share(part, block, owner, number, able[number * len(able) // ranks])
                for number, part in enumerate(parts)
            ]
    return found


def _parts(block: Block, parts: int) -> Iterator[Block]:
    """The block cut by images, or by rows where there are fewer images; fewer parts where there are fewer rows."""
    axis = "batch" if len(block.batch) >= parts else "row"
    whole: Span = getattr(block, axis)
    parts = min(parts, len(whole))
    for number in range(parts):
        part = cut(len(whole), parts, number)
        yield replace(block, **{axis: Span(whole.start + part.start, whole.start + part.stop)})


def messages(share: Block, whole: Block, most_bytes: int) -> Iterator[Block]:
    """A share cut into blocks of at most `most_bytes` of y, or one row; each lies in one piece in a whole block's y."""
    image_bytes = share.y_bytes // len(share.batch)
    if image_bytes <= most_bytes and share.row == whole.row:
        yield from _runs(share, "batch", most_bytes // image_bytes)
        return
    for image in _runs(share, "batch", 1):
        for channel in _runs(image, "out_channel", 1):
            yield from _runs(channel, "row", max(1, most_bytes * len(channel.row) // channel.y_bytes))


def _runs(block: Block, axis: str, length: int) -> Iterator[Block]:
    """The block cut along an axis into runs of that length, the last perhaps shorter."""
    span: Span = getattr(block, axis)
    for start in range(span.start, span.stop, length):
        yield replace(block, **{axis: Span(start, min(start + length, span.stop))})
