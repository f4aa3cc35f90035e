"""Measures a cluster: `mpirun ... python -m mpi4py -m workload.probe.run --record out.json`.

Takes messages between ranks (links.py), what each node can do with 1 to n of its ranks active (gauges.py), and so its
GPUs (gpu.py), and the yardstick of each backend, in several passes over all of them. A rank uses one thread, as in a
run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from mpi4py import MPI

from workload import convolve
from workload.instruments import machine
from workload.instruments.clock import Clocks
from workload.instruments.nodes import node_of, nodes_of
from workload.instruments.yardstick import Yardstick
from workload.probe.gauges import ROOT, Gauge, backends, gauges
from workload.probe.gpu import NodeGpus
from workload.probe.links import links
from workload.probe.scale import Scale
from workload.record.files import write_json
from workload.record.schema import SCHEMA_VERSION


def probe(comm: MPI.Intracomm, clocks: Clocks, scale: Scale | None = None) -> dict[str, Any] | None:
    """The probe's document at the root, None on the other ranks. All ranks call it together."""
    scale = scale or Scale()
    node = node_of(comm, {})
    pairs = links(nodes_of(comm, node))
    found = gauges(node, clocks.now, scale)
    gpus = NodeGpus(node, clocks.now, scale)
    yardsticks = {name: Yardstick(convolve.load(name), clocks.cpu_now) for name in backends()}
    speeds: dict[str, list[float]] = {name: [] for name in yardsticks}
    for _ in range(scale.passes):
        for link in pairs:
            link.take(comm, clocks.now, scale.message_bytes)
        for gauge in found:
            gauge.take(node, clocks.now, scale)
        gpus.take()
        node.Barrier()
        for name, yardstick in yardsticks.items():
            speeds[name] += node.allgather(yardstick.flops_per_s())
    on_gpus = gpus.document()
    gpus.close()
    local = {**_of_node(node, found), "yardstick": _speeds(speeds), **on_gpus} if node.rank == ROOT else None
    node.Free()
    gathered = comm.gather(local, root=ROOT)
    if gathered is None:
        return None
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "probe",
        "ranks": comm.size,
        "waiting": "asleep",
        "links": [link.figure() for link in pairs],
        "nodes": [each for each in gathered if each is not None],
    }


def _of_node(node: MPI.Comm, found: list[Gauge]) -> dict[str, Any]:
    kinds: dict[str, Any] = {"memory": [], "stores": [], "cache": [], "load": [], "multiply_add": [], "convolve": []}
    for gauge in found:
        kinds[gauge.kind].append(gauge.figure())
    described = machine.describe(MPI.Get_library_version().split(",")[0].strip("\x00 \n"))
    return {**kinds, "machine": described, "ranks": node.size}


def _speeds(speeds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """The median speed of the node's cores in the yardstick of each backend, with all of its ranks active."""
    return [{"backend": name, "flops_per_s": statistics.median(values)} for name, values in speeds.items()]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="workload.probe.run", description="Measures the cluster that mpirun starts it on."
    )
    parser.add_argument("--record", type=Path, required=True, help="where rank 0 writes the probe")
    parser.add_argument("--token", help="the job's, so that its processes can be found")
    arguments = parser.parse_args()
    try:
        found = probe(MPI.COMM_WORLD, Clocks(time.monotonic, MPI.Wtime, time.process_time))
        if found is not None:
            write_json(arguments.record, found)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        print(f"convscale: the probe failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        raise SystemExit(2) from error  # python -m mpi4py turns this into MPI_Abort


if __name__ == "__main__":
    main()
