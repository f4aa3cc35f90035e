"""Measures messages between pairs of ranks by ping-pong: latency and bandwidth, within and between nodes."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mpi4py import MPI

from workload.instruments.clock import Now
from workload.probe.scale import spread

LONGEST_BETWEEN_BYTES = 16 * 2**20  # between nodes no cache matters, and a slow network would take minutes
ROUNDS = 5  # of each size in one pass
TURNS, TURN_BYTES = 500, 2**22  # there and back in one round: as many, or as many bytes, but once at least


@dataclass(frozen=True)
class Link:
    """A pair of ranks, `within` a node or `between` nodes.

    `samples` holds, by size of the message in bytes, the one-way seconds of every round.
    """

    scope: str
    ranks: tuple[int, int]
    samples: dict[int, list[float]] = field(default_factory=dict)

    def take(self, comm: MPI.Intracomm, now: Now, sizes: tuple[int, ...]) -> None:
        """Adds the rounds of a pass. All ranks call it together; those that are not of the pair wait."""
        for size in sizes:
            if self.scope == "between" and size > LONGEST_BETWEEN_BYTES:
                continue
            buffer = np.ones(size if comm.rank in self.ranks else 0, np.uint8)
            for _ in range(ROUNDS):
                comm.Barrier()
                seconds = 0.0
                if comm.rank in self.ranks:
                    seconds = self._ping_pong(comm, now, buffer)
                self.samples.setdefault(size, []).append(comm.allreduce(seconds, op=MPI.MAX))

    def _ping_pong(self, comm: MPI.Intracomm, now: Now, buffer: np.ndarray[Any, Any]) -> float:
        """Mean one-way seconds of a message, a rank of the pair each."""
        one, other = self.ranks
        peer = other if comm.rank == one else one
        turns = max(1, min(TURNS, TURN_BYTES // buffer.size))
        begun = now()
        for _ in range(turns):
            if comm.rank == one:
                comm.Send([buffer, MPI.BYTE], dest=peer)
                comm.Recv([buffer, MPI.BYTE], source=peer)
            else:
                comm.Recv([buffer, MPI.BYTE], source=peer)
                comm.Send([buffer, MPI.BYTE], dest=peer)
        return (now() - begun) / (2 * turns)

    def figure(self) -> dict[str, Any]:
        """The link by the medians of all rounds."""
        messages = [
            {"bytes": size, "one_way_s": statistics.median(seconds), "spread": spread(seconds)}
            for size, seconds in sorted(self.samples.items())
        ]
        longest = messages[-1]
        return {
            "scope": self.scope,
            "ranks": list(self.ranks),
            "latency_s": messages[0]["one_way_s"],
            "bytes_per_s": longest["bytes"] / longest["one_way_s"],
            "messages": messages,
        }


def links(nodes: list[list[int]]) -> list[Link]:
    """A pair of ranks within each node of several, and the root with the first rank of each other node."""
    within = [Link("within", (ranks[0], ranks[1])) for ranks in nodes if len(ranks) > 1]
    return within + [Link("between", (nodes[0][0], ranks[0])) for ranks in nodes[1:]]
