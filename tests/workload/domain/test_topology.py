"""The binomial tree and the pieces of a stream: pure arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workload.domain.chunks import chunk_bytes_of, piece, pieces_of
from workload.domain.grid import Grid, block_of, covers_exactly
from workload.domain.problem import Problem
from workload.domain.topology import children, node_groups, parent, subtree


@given(st.integers(1, 300))
def test_every_leader_but_the_root_has_one_parent(leaders: int) -> None:
    fed = [child for leader in range(leaders) for child in children(leader, leaders)]
    assert sorted(fed) == list(range(1, leaders))
    assert all(leader in children(parent(leader), leaders) for leader in range(1, leaders))


@given(st.integers(1, 300), st.data())
def test_a_subtree_is_its_leader_and_its_childrens_subtrees(leaders: int, data: st.DataObject) -> None:
    leader = data.draw(st.integers(0, leaders - 1))
    inside = [leader]
    for child in children(leader, leaders)[::-1]:
        inside += subtree(child, leaders)
    assert inside == list(subtree(leader, leaders))


@given(st.integers(1, 300))
def test_no_leader_sends_more_often_than_the_trees_depth(leaders: int) -> None:
    assert max(len(children(leader, leaders)) for leader in range(leaders)) <= (leaders - 1).bit_length()


def test_the_root_has_no_parent() -> None:
    with pytest.raises(ValueError, match="no parent"):
        parent(0)


def test_nodes_are_filled_one_after_the_other() -> None:
    assert [len(span) for span in node_groups(7, 3)] == [3, 3, 1]


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 40_000))
def test_pieces_cover_every_block_within_the_bound(batch: int, ranks: int, chunk_bytes: int) -> None:
    problem = Problem(max(batch, ranks), 2, 3, 9, 8, 3)
    blocks = [block_of(problem, Grid(batch=ranks), rank) for rank in range(ranks)]
    steps = pieces_of(blocks, chunk_bytes)
    parts = [piece(block, steps, step) for block in blocks for step in range(steps)]
    assert covers_exactly(problem, parts)
    largest = sum(piece(block, steps, 0).x_bytes for block in blocks)
    shortest = min(len(block.batch) for block in blocks)
    assert largest <= chunk_bytes or steps == shortest
    if steps > 1:  # one step fewer would not have fitted
        assert sum(piece(block, steps - 1, 0).x_bytes for block in blocks) > chunk_bytes


@pytest.mark.parametrize("value", [0, -1, "64 MB", 1.5, True])
def test_a_chunk_that_is_no_size_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="chunk_bytes = "):
        chunk_bytes_of({"chunk_bytes": value})  # type: ignore[dict-item]
