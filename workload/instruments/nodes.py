"""Finds which ranks share a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from mpi4py import MPI


def node_of(comm: MPI.Intracomm, options: Mapping[str, int | str | bool]) -> MPI.Intracomm:
    """The ranks that share this rank's memory; the caller frees it.

    The option `group_ranks` treats that many consecutive ranks as a node, to try several nodes on one
    machine. Raises ValueError unless it is a positive whole number.
    """
    shared = cast(MPI.Intracomm, comm.Split_type(MPI.COMM_TYPE_SHARED))
    option = options.get("group_ranks")
    if option is None:
        return shared
    if isinstance(option, bool) or not isinstance(option, int) or option < 1:
        raise ValueError(
            f"options.group_ranks = {option!r} is not a number of ranks: give a whole number of at least 1"
        )
    group = cast(MPI.Intracomm, shared.Split(comm.rank // option, comm.rank))
    shared.Free()
    return group


def nodes_of(comm: MPI.Intracomm, node: MPI.Intracomm) -> list[list[int]]:
    """The ranks of each node, in the order of the nodes' first ranks, so the root's node is first."""
    leader = node.bcast(comm.rank, root=0)
    nodes: dict[int, list[int]] = {}
    for rank, its_leader in enumerate(comm.allgather(leader)):
        nodes.setdefault(its_leader, []).append(rank)
    return list(nodes.values())


def own_node(nodes: Sequence[list[int]], rank: int) -> list[int]:
    """The ranks of the node that has this rank, of all nodes' ranks."""
    return next(node for node in nodes if rank in node)
