"""The binomial tree between node leaders; pure, standard library only.

Leader 0 is the root. The subtree of leader i is the run of leaders [i, i + lowest set bit of i), so what a
leader passes on lies together.
"""

from __future__ import annotations

from workload.domain.grid import Span


def subtree(leader: int, leaders: int) -> Span:
    """The leaders whose data passes through this one, itself included."""
    reach = leaders if leader == 0 else leader & -leader
    return Span(leader, min(leader + reach, leaders))


def parent(leader: int) -> int:
    """Raises ValueError for the root, which has none."""
    if leader == 0:
        raise ValueError("leader 0 is the root of the tree: it has no parent")
    return leader & (leader - 1)


def children(leader: int, leaders: int) -> list[int]:
    """The leaders that get their data from this one, the largest subtree first, so that it can go on soonest."""
    limit = leaders if leader == 0 else leader & -leader
    found = []
    step = 1
    while step < limit and leader + step < leaders:
        found.append(leader + step)
        step *= 2
    return found[::-1]


def node_groups(ranks: int, ranks_per_node: int) -> list[Span]:
    """The ranks of each node where nodes are filled one after the other."""
    return [Span(start, min(start + ranks_per_node, ranks)) for start in range(0, ranks, ranks_per_node)]
