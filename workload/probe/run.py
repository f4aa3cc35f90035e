"""Measures the cluster at hand: `mpirun ... python -m mpi4py -m workload.probe --record out.json`.

Latency and bandwidth within and between nodes (ping-pong), and what each node can do with 1 to n of its ranks at work
(workload/probe/gauges.py), in PASSES over all of it. A rank does what it would do in a run: one thread.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from workload import convolve
from workload.instruments import machine
from workload.instruments.clock import Now
from workload.instruments.yardstick import Yardstick
from workload.probe.gauges import ROOT, Gauge, Scale, backends, gauges, spread
from workload.record.files import write_json
from workload.record.schema import SCHEMA_VERSION

MESSAGE_BYTES = (8, 1024, 16 * 1024, 256 * 1024, 4 * 2**20, 16 * 2**20, 64 * 2**20)
LONGEST_BETWEEN = 16 * 2**20  # between nodes: no cache is in play there, and a slow network would take minutes
PASSES = 3
ROUNDS = 5  # of a message in one pass
TURNS, TURN_BYTES = 500, 2**22  # there and back in a round: at most so many, or so many bytes; once at least


@dataclass(frozen=True)
class Link:
    """A pair of ranks, `scope` apart, and seconds one way by bytes of the message, of all rounds."""

    scope: str
    ranks: tuple[int, int]
    samples: dict[int, list[float]] = field(default_factory=dict)

    def take(self, comm: MPI.Intracomm, now: Now, sizes: tuple[int, ...]) -> None:
        """Adds the rounds of a pass. All ranks call it together; the others wait."""
        for size in sizes:
            if self.scope == "between" and size > LONGEST_BETWEEN:
                continue
            buffer = np.ones(size if comm.rank in self.ranks else 0, np.uint8)
            for _ in range(ROUNDS):
                comm.Barrier()
                seconds = 0.0
                if comm.rank in self.ranks:
                    seconds = self._ping_pong(comm, now, buffer)
                self.samples.setdefault(size, []).append(comm.allreduce(seconds, op=MPI.MAX))

    def _ping_pong(self, comm: MPI.Intracomm, now: Now, buffer: np.ndarray[Any, Any]) -> float:
        """Mean one-way seconds."""
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
        """The link at the median of all rounds."""
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


def probe(
    comm: MPI.Intracomm,
    now: Now,
    cpu_now: Now,
    scale: Scale | None = None,
    sizes: tuple[int, ...] = MESSAGE_BYTES,
    passes: int = PASSES,
) -> dict[str, Any] | None:
    """The probe's document at the root, None on the other ranks. All ranks call it together."""
    scale = scale or Scale()
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    links = [Link(scope, pair) for scope, pair in _pairs(_nodes(comm, node))]
    found = gauges(node, now, scale)
    yardsticks = {name: Yardstick(convolve.load(name), cpu_now) for name in backends()}
    speeds: dict[str, list[float]] = {name: [] for name in yardsticks}
    for _ in range(passes):
        for link in links:
            link.take(comm, now, sizes)
        for gauge in found:
            gauge.take(node, now, scale)
        node.Barrier()
        for name, yardstick in yardsticks.items():
            speeds[name] += node.allgather(yardstick.flops_per_s())
    local = {**_of_node(node, found), "yardstick": _speeds(speeds)} if node.rank == ROOT else None
    node.Free()
    gathered = comm.gather(local, root=ROOT)
    if gathered is None:
        return None
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "probe",
        "ranks": comm.size,
        "links": [link.figure() for link in links],
        "nodes": [each for each in gathered if each is not None],
    }


def _of_node(node: MPI.Comm, found: list[Gauge]) -> dict[str, Any]:
    kinds: dict[str, Any] = {"memory": [], "load": [], "multiply_add": [], "convolve": []}
    for gauge in found:
        kinds[gauge.kind].append(gauge.figure())
    described = machine.describe(MPI.Get_library_version().split(",")[0].strip("\x00 \n"))
    return {**kinds, "machine": described, "ranks": node.size}


def _speeds(speeds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """How fast the node's cores did the yardstick of each backend, all of its ranks at work: medians."""
    return [{"backend": name, "flops_per_s": statistics.median(values)} for name, values in speeds.items()]


def _nodes(comm: MPI.Intracomm, node: MPI.Comm) -> list[list[int]]:
    """The ranks of each node, in the order of their first ranks."""
    leader = node.bcast(comm.rank, root=ROOT)
    members: dict[int, list[int]] = {}
    for rank, of in enumerate(comm.allgather(leader)):
        members.setdefault(of, []).append(rank)
    return list(members.values())


def _pairs(nodes: list[list[int]]) -> list[tuple[str, tuple[int, int]]]:
    """A pair of ranks within each node of several, and the root with the first rank of each other node."""
    within = [("within", (ranks[0], ranks[1])) for ranks in nodes if len(ranks) > 1]
    return within + [("between", (nodes[0][0], ranks[0])) for ranks in nodes[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="workload.probe.run", description="Measures the cluster that mpirun starts it on."
    )
    parser.add_argument("--record", type=Path, required=True, help="where rank 0 writes the probe")
    parser.add_argument("--token", help="the job's: it stands here so that its processes can be found")
    arguments = parser.parse_args()
    try:
        found = probe(MPI.COMM_WORLD, time.monotonic, time.process_time)
        if found is not None:
            write_json(arguments.record, found)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        print(f"convscale: the probe fails: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        raise SystemExit(2) from error  # python -m mpi4py turns this into an abort of all ranks


if __name__ == "__main__":
    main()
