"""Heat in a square plate, explicit Euler on n x n points, rows cut among the ranks: python -m mpi4py heat.py N STEPS

Prints the size, the steps done, the heat left (which the edges can only take away) and the time of the steps.
"""

import sys

import numpy as np
from mpi4py import MPI


def main(n: int, steps: int) -> None:
    """Carries the steps out; rank 0 prints what came of them."""
    comm = MPI.COMM_WORLD
    rank, ranks = comm.rank, comm.size
    first, last = n * rank // ranks, n * (rank + 1) // ranks
    up = rank - 1 if rank > 0 else MPI.PROC_NULL
    down = rank + 1 if rank < ranks - 1 else MPI.PROC_NULL
    now = np.zeros((last - first + 2, n + 2))
    rows, columns = np.arange(first + 1, last + 1)[:, None], np.arange(1, n + 1)
    now[1:-1, 1:-1] = np.hypot(rows - n / 2, columns - n / 2) < n / 4  # a warm disc in a cold plate
    following = now.copy()
    comm.Barrier()
    begun = MPI.Wtime()
    for _ in range(steps):
        comm.Sendrecv(now[1], up, recvbuf=now[-1], source=down)
        comm.Sendrecv(now[-2], down, recvbuf=now[0], source=up)
        inner = now[1:-1, 1:-1]
        around = now[:-2, 1:-1] + now[2:, 1:-1] + now[1:-1, :-2] + now[1:-1, 2:]
        following[1:-1, 1:-1] = inner + 0.2 * (around - 4 * inner)
        now, following = following, now
    elapsed = comm.reduce(MPI.Wtime() - begun, MPI.MAX)
    heat = comm.reduce(now[1:-1, 1:-1].sum(), MPI.SUM)
    if rank == 0:
        print(f"Size: {n}\nSteps: {steps}\nHeat: {heat / n**2:.6f}\nElapsed: {elapsed:.6f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
