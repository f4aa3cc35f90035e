"""Probes with small sizes, on as many played GPUs as it is told, and writes what rank 0 found."""

import json
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from mpi4py import MPI

from tests.workload.gpu.played import PlayedDevice, played_gpus
from workload.instruments.clock import Clocks
from workload.probe.run import probe
from workload.probe.scale import Scale

answer, gpus, broken = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "broken"
small = Scale(
    message_bytes=(8, 2**20),
    copy_bytes=(2**16, 2**20),
    cache_bytes=(2**12,),
    multiply_adds=2**20,
    small_block=(1, 1, 8, 8),
    block=(1, 3, 32, 32),
    passes=2,
    rounds=2,
    round_s=0.001,
    gpu_bytes=2**16,
    gpu_threads=2**6,
)
if broken:
    opened_memory = PlayedDevice.memory

    def memory(device: PlayedDevice, nbytes: int) -> object:
        if device.number == 1:
            raise MemoryError("the second GPU has no room")
        return opened_memory(device, nbytes)

    PlayedDevice.memory = memory
with played_gpus(gpus, answer.parent) if gpus else nullcontext([]) as opened:
    found = probe(MPI.COMM_WORLD, Clocks(time.monotonic, MPI.Wtime, time.process_time), small)
    kept = [device.number for device in opened if not device.given_back]
everyones = MPI.COMM_WORLD.gather((len(opened), kept))
if found is not None:
    found |= {"opened": [count for count, _ in everyones], "kept": [kept for _, kept in everyones if kept]}
    answer.write_text(json.dumps(found))
