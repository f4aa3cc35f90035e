"""Measures the cluster at hand: `mpirun ... python -m mpi4py -m workload.probe --record out.json`.

Latency and bandwidth within and between nodes (ping-pong), memory bandwidth with 1 to n ranks of a node at work,
the rate of multiply-adds from registers, and each backend's rate on one block. Every figure
is the best of several rounds: other work only ever slows them. A rank does what it would do in a run: one thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from workload import convolve, machine
from workload.clock import Now
from workload.convolve.simd import Compiler
from workload.multiply_add import MultiplyAdd
from workload.record import SCHEMA_VERSION, write_json

ROOT = 0
MESSAGE_BYTES = (8, 1024, 16 * 1024, 256 * 1024, 4 * 2**20, 16 * 2**20)
COPY_BYTES = 48 * 2**20  # beyond the caches of one core
MULTIPLY_ADDS = 2**29
BLOCK = (2, 3, 512, 512)  # (B, C, H, W) of the block that every backend convolves with 3 filters of 3 x 3
ROUNDS = 15
NO_CODE = (ImportError, RuntimeError, OSError, ValueError)  # a backend that this processor has no code for


@dataclass(frozen=True)
class Scale:
    """How much is done: the sizes above, or less where only the way is tried."""

    messages: tuple[int, ...] = MESSAGE_BYTES
    copy_bytes: int = COPY_BYTES
    multiply_adds: int = MULTIPLY_ADDS
    block: tuple[int, int, int, int] = BLOCK
    rounds: int = ROUNDS


def probe(comm: MPI.Intracomm, now: Now, scale: Scale | None = None) -> dict[str, Any] | None:
    """The probe's document at the root, None on the other ranks. All ranks call it together."""
    scale = scale or Scale()
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    nodes = _nodes(comm, node)
    links = [_link(comm, now, scale, pair) for pair in _pairs(nodes)]
    local = {
        "memory": [_memory(node, now, scale, active) for active in counts(node.size)],
        "multiply_add": [each for active in counts(node.size) for each in _multiply_add(node, now, scale, active)],
        "convolve": [_convolve(node, now, scale, name, active) for name in _backends() for active in counts(node.size)],
        "machine": machine.describe(MPI.Get_library_version().split(",")[0].strip("\x00 \n"))
        if node.rank == ROOT
        else None,
        "ranks": node.size,
    }
    leads = node.rank == ROOT
    node.Free()
    gathered = comm.gather(local if leads else None, root=ROOT)
    if gathered is None:
        return None
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "probe",
        "ranks": comm.size,
        "links": links,
        "nodes": [each for each in gathered if each is not None],
    }


def counts(ranks: int) -> list[int]:
    """How many ranks are at work at once: powers of two, and all."""
    return sorted({*(2**power for power in range(ranks.bit_length()) if 2**power < ranks), ranks})


def _nodes(comm: MPI.Intracomm, node: MPI.Comm) -> list[list[int]]:
    """The ranks of each node, in the order of their first ranks."""
    leader = node.bcast(comm.rank, root=ROOT)
    members: dict[int, list[int]] = {}
    for rank, of in enumerate(comm.allgather(leader)):
        members.setdefault(of, []).append(rank)
    return list(members.values())


def _pairs(nodes: list[list[int]]) -> list[tuple[str, int, int]]:
    """A pair of ranks within each node of several, and the root with the first rank of each other node."""
    within = [("within", ranks[0], ranks[1]) for ranks in nodes if len(ranks) > 1]
    return within + [("between", nodes[0][0], ranks[0]) for ranks in nodes[1:]]


def _link(comm: MPI.Intracomm, now: Now, scale: Scale, pair: tuple[str, int, int]) -> dict[str, Any]:
    """One-way seconds of messages between two ranks; the others wait."""
    scope, one, other = pair
    messages = []
    for size in scale.messages:
        buffer = np.ones(size, np.uint8)
        comm.Barrier()
        seconds = float("inf")
        if comm.rank in (one, other):
            peer, first = (other, True) if comm.rank == one else (one, False)
            turns = max(4, min(500, 2**22 // size)) if scale.rounds > 1 else 2
            for _ in range(scale.rounds):
                seconds = min(seconds, _ping_pong(comm, now, buffer, peer, first, turns))
        messages.append({"bytes": size, "one_way_s": comm.allreduce(seconds, op=MPI.MIN)})
    longest = messages[-1]
    return {
        "scope": scope,
        "ranks": [one, other],
        "latency_s": messages[0]["one_way_s"],
        "bytes_per_s": longest["bytes"] / longest["one_way_s"],
        "messages": messages,
    }


def _ping_pong(
    comm: MPI.Intracomm, now: Now, buffer: np.ndarray[Any, Any], peer: int, first: bool, turns: int
) -> float:
    """Mean one-way seconds."""
    begun = now()
    for _ in range(turns):
        if first:
            comm.Send([buffer, MPI.BYTE], dest=peer)
            comm.Recv([buffer, MPI.BYTE], source=peer)
        else:
            comm.Recv([buffer, MPI.BYTE], source=peer)
            comm.Send([buffer, MPI.BYTE], dest=peer)
    return (now() - begun) / (2 * turns)


def _together(node: MPI.Comm, now: Now, rounds: int, active: int, work: Callable[[], object]) -> float:
    """Least seconds, over rounds, in which the first `active` ranks of the node all do their work at once."""
    best = float("inf")
    if node.rank < active:
        work()  # pages, caches and compiled code are there before the first round
    for _ in range(rounds):
        node.Barrier()
        begun = now()
        if node.rank < active:
            work()
        spent = now() - begun if node.rank < active else 0.0
        best = min(best, node.allreduce(spent, op=MPI.MAX))
    return best


def _memory(node: MPI.Comm, now: Now, scale: Scale, active: int) -> dict[str, Any]:
    """Bytes a second, read and written, of all active ranks that copy arrays."""
    source = np.ones(scale.copy_bytes // 4, np.float32)
    target = np.empty_like(source)
    seconds = _together(node, now, scale.rounds, active, lambda: np.copyto(target, source))
    return {"active": active, "bytes_per_s": 2 * source.nbytes * active / seconds}


def _multiply_add(node: MPI.Comm, now: Now, scale: Scale, active: int) -> list[dict[str, Any]]:
    """Floating-point operations a second of one rank, the slowest, in multiply-adds from registers (float32).

    Empty where there is no code for this processor.
    """
    try:
        run = MultiplyAdd(Compiler().level.lanes)
    except NO_CODE:
        return []
    seconds = _together(node, now, scale.rounds, active, lambda: run(scale.multiply_adds))
    return [{"active": active, "flops_per_s": 2 * scale.multiply_adds / seconds}]


def _backends() -> Iterator[str]:
    """The backends that this node can run."""
    for name in convolve.names():
        try:
            convolve.load(name).compile((1, 1, 4, 4), (1, 1, 3, 3))
        except NO_CODE:
            continue  # no code for this processor: a run would say so, too
        yield name


def _convolve(node: MPI.Comm, now: Now, scale: Scale, name: str, active: int) -> dict[str, Any]:
    """Floating-point operations a second of one rank, the slowest, in a backend's convolution of one block."""
    batch, channels, height, width = scale.block
    x = np.ones(scale.block, np.float32)
    w = np.ones((3, channels, 3, 3), np.float32)
    y = np.empty((batch, 3, height - 2, width - 2), np.float32)
    backend = convolve.load(name)
    backend.compile(x.shape, w.shape)
    seconds = _together(node, now, scale.rounds, active, lambda: backend.convolve(x, w, y))
    return {"backend": name, "active": active, "flops_per_s": 2 * y.size * channels * 9 / seconds}


def main() -> None:
    """As every job of a cluster it is given --run and --images, and needs neither."""
    parser = argparse.ArgumentParser(
        prog="workload.probe", description="Measures the cluster that mpirun starts it on."
    )
    parser.add_argument("--record", type=Path, required=True, help="where rank 0 writes the probe")
    parser.add_argument("--run", type=Path, help="not used")
    parser.add_argument("--images", type=Path, help="not used")
    arguments = parser.parse_args()
    try:
        found = probe(MPI.COMM_WORLD, time.monotonic)
        if found is not None:
            write_json(arguments.record, found)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        print(f"convscale: the probe fails: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        raise SystemExit(2) from error  # python -m mpi4py turns this into an abort of all ranks


if __name__ == "__main__":
    main()
