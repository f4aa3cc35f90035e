"""Which rank works out and checks which part of y."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from workload.data.shares import READING, Share, messages, share_out
from workload.domain.grid import Block, Grid, Span, block_of, covers_exactly, whole
from workload.domain.problem import Problem

PROBLEM = Problem(10, 3, 3, 20, 16, 3)


def at_root(ranks: int, problem: Problem = PROBLEM) -> list[list[Block]]:
    return [[whole(problem)], *([] for _ in range(ranks - 1))]


@given(st.integers(1, 9), st.integers(1, 12), st.integers(1, 12))
def test_shares_of_the_roots_y_cover_it_once_and_are_even(ranks: int, batch: int, rows: int) -> None:
    problem = Problem(batch, 1, 2, rows + 2, 5, 3)
    shares = share_out(at_root(ranks, problem), [list(range(ranks))] * ranks)
    assert covers_exactly(problem, [share.block for share in shares])
    assert {share.owner for share in shares} == {0}
    lines, axis = (batch, "batch") if batch >= ranks else (rows, "row")
    worked_out = [lines_of(shares, "computer", rank, axis) for rank in range(ranks)]
    checked = [lines_of(shares, "checker", rank, axis) for rank in range(ranks)]
    assert sum(worked_out) == sum(checked) == lines
    assert max(worked_out) - min(worked_out) <= 1
    assert max(checked[1:], default=0) - min(checked[1:], default=0) <= 1
    if ranks > 1:
        units = ranks - 1 + READING
        assert READING * (lines // units) <= checked[0] <= READING * -(-lines // units)


def lines_of(shares: list[Share], part: str, rank: int, axis: str) -> int:
    """How many images, or rows, a rank works out or checks."""
    return sum(len(getattr(share.block, axis)) for share in shares if getattr(share, part) == rank)


def test_ranks_that_hand_over_alike_work_alone() -> None:
    announced = [[block_of(PROBLEM, Grid(batch=3), rank)] for rank in range(3)]  # 4, 3 and 3 images
    shares = share_out(announced, [[0, 1, 2]] * 3)
    assert shares == [Share(announced[rank][0], announced[rank][0], rank, rank, rank) for rank in range(3)]


def test_where_no_other_rank_may_read_all_work_out_and_the_owner_checks() -> None:
    shares = share_out(at_root(4), [[0], [1], [2], [3]])
    assert [share.computer for share in shares] == [0, 1, 2, 3]
    assert [share.checker for share in shares] == [0, 0, 0, 0]


def test_ranks_of_other_nodes_work_out_and_those_of_the_owners_check() -> None:
    shares = share_out(at_root(4), [[0, 1], [0, 1], [2, 3], [2, 3]])
    assert [(share.computer, share.checker) for share in shares] == [(0, 0), (1, 0), (2, 0), (3, 1)]


@given(st.integers(1, 4), st.integers(1, 8), st.integers(0, 6), st.integers(1, 14), st.integers(1, 3000))
def test_messages_cover_a_share_and_lie_in_one_piece(
    images: int, rows: int, first_row: int, height: int, most_bytes: int
) -> None:
    problem = Problem(images, 1, 3, first_row + rows + height, 7, 1)
    full = whole(problem)
    share = replace(full, row=Span(first_row, first_row + rows))
    blocks = list(messages(share, full, most_bytes))
    assert sum(block.y_elements for block in blocks) == share.y_elements
    assert len(set(blocks)) == len(blocks)
    for block in blocks:
        assert block.y_bytes <= max(most_bytes, 4 * 7)
        assert all(map(Span.contains, share.y_spans, block.y_spans))
        assert lies_in_one_piece(block, full)


def lies_in_one_piece(block: Block, full: Block) -> bool:
    """Only the first axis that is longer than one may be cut."""
    lengths = [(len(part), len(all_of)) for part, all_of in zip(block.y_spans, full.y_spans, strict=True)]
    while lengths and lengths[0][0] == 1:
        lengths.pop(0)
    return all(part == all_of for part, all_of in lengths[1:])
