"""Who does which part of the check: y that one rank hands over is worked out, and looked at, by all that can. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from workload.domain.grid import Block, Span, cut

EVEN = 1.5  # times its fair share of all rows that a rank may hand over and still work alone
READING = 3  # times as long as its owner that a rank takes to compare a row of y, which it has to read first


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
        else:
            found += [share for block in blocks for share in _shares(block, owner, ranks, readers[owner])]
    return found


def _shares(block: Block, owner: int, ranks: int, able: Sequence[int]) -> Iterator[Share]:
    """The block cut by images, or by rows where there are fewer images: each rank works out as much as any other.

    The owner checks READING times as much as another reader, so that all are done at the same time.
    """
    axis = "batch" if len(block.batch) >= ranks else "row"
    whole: Span = getattr(block, axis)
    computers = _allotted(len(whole), [(rank, 1) for rank in range(ranks)])
    checkers = _allotted(len(whole), [(rank, READING if rank == owner else 1) for rank in able])
    both = list(zip(computers, checkers, strict=True))
    starts = [at for at in range(len(both)) if at == 0 or both[at] != both[at - 1]]
    for start, stop in zip(starts, [*starts[1:], len(both)], strict=True):
        part = replace(block, **{axis: Span(whole.start + start, whole.start + stop)})
        yield Share(part, block, owner, *both[start])


def _allotted(length: int, weights: Sequence[tuple[int, int]]) -> list[int]:
    """The rank that has each of so many lines, one after the other; `weights` are pairs of a rank and its share."""
    units = [rank for rank, weight in weights for _ in range(weight)]
    return [rank for number, rank in enumerate(units) for _ in range(len(cut(length, len(units), number)))]


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
