"""The binomial tree between node leaders. Pure arithmetic, standard library only.

Leader 0 is the root. The subtree of leader i is the leaders [i, i + lowest set bit of i), so that what a leader passes
on is contiguous.
"""

from __future__ import annotations


def subtree(leader: int, leaders: int) -> range:
    """The leaders whose data passes through this one, itself included."""
    reach = leaders if leader == 0 else leader & -leader
    return range(leader, min(leader + reach, leaders))


def parent(leader: int) -> int:
    """The leader above this one. Raises ValueError for the root, which has none."""
    if leader == 0:
        raise ValueError("leader 0 is the root of the tree: it has no parent")
    return leader & (leader - 1)


def children(leader: int, leaders: int) -> list[int]:
    """The leaders that get their data from this one, the largest subtree first, since it has the longest way to go."""
    limit = leaders if leader == 0 else leader & -leader
    found = []
    step = 1
    while step < limit and leader + step < leaders:
        found.append(leader + step)
        step *= 2
    return found[::-1]


def node_groups(ranks: int, ranks_per_node: int) -> list[range]:
    """The ranks of each node, when nodes are filled one after the other."""
    return [range(start, min(start + ranks_per_node, ranks)) for start in range(0, ranks, ranks_per_node)]
