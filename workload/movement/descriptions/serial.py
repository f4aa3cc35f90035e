"""Movement `serial`: one rank, nothing moves."""

from __future__ import annotations

from workload.domain.grid import whole
from workload.movement.descriptions.description import Decomposition, Demand, MovementDescription, rows_of


def demand(cut: Decomposition) -> Demand:
    """x, w and y once."""
    return Demand([cut.problem.total_bytes], [rows_of(whole(cut.problem))], 0)


DESCRIPTION = MovementDescription("serial", "workload.movement.serial:Serial", demand, max_ranks=1)
