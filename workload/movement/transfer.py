"""One whole buffer sent or received in the background."""

from __future__ import annotations

from mpi4py import MPI

from workload.instruments.clock import Clock
from workload.movement.datatypes import run_type
from workload.movement.movement import Float32


def transfer(clock: Clock, call: object, buffer: Float32, peer: int, tag: int) -> MPI.Request:
    """Isend or Irecv of a whole buffer. The datatype may be freed at once: MPI keeps it until the end."""
    kind = run_type(buffer.size)
    request: MPI.Request = clock.mpi(call, [buffer, 1, kind], peer, tag, moved_bytes=buffer.nbytes)  # type: ignore[arg-type]
    kind.Free()
    return request
