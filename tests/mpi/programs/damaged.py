"""The shared check of y that the root holds, or every rank its own: honest, damaged at many places, lost, doubled."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from mpi4py import MPI

from workload.convolve.tiles import convolve
from workload.data import shared_check
from workload.data.expectation import Expectation
from workload.data.images import Source, make_weights
from workload.data.shared_check import SharedCheck
from workload.domain.grid import Block, Grid, block_of, whole
from workload.domain.problem import Problem

answer = Path(sys.argv[1])
comm = MPI.COMM_WORLD
ALL, ALONE = [list(range(comm.size))] * comm.size, [[rank] for rank in range(comm.size)]
PROBLEMS = [Problem(11, 2, 3, 13, 17, 3), Problem(2, 3, 2, 23, 9, 4), Problem(1, 1, 1, 3, 7, 2)]
PLACES = 30  # that are damaged, one after the other
shared_check.MESSAGE_BYTES = 200  # a few rows of y, so that a share takes several messages


class Case:
    """A problem with its honest y on all ranks, and the check of what they announce."""

    def __init__(self, problem: Problem, announced: list[list[Block]], readers: list[list[int]]) -> None:
        pool = np.random.default_rng(3).integers(1, 256, (3, *problem.x_shape[1:]), dtype=np.uint8)
        source, weights = Source(pool), make_weights("random", problem, 5)
        x = np.empty(problem.x_shape, np.float32)
        source(whole(problem), x)
        self.y = np.empty(problem.y_shape, np.float32)
        convolve(x, weights, self.y)
        self.mine = announced[comm.rank]
        self.check = SharedCheck(comm, Expectation(problem, weights, source, 9), announced, readers)

    def passes(self, mine: list[Block] | None = None) -> bool:
        """Whether the check passes if this rank hands over `mine` of y, by default all that it announced."""
        self.check.begin()
        blocks = self.mine if mine is None else mine
        self.check.look_at((block, self.y[tuple(slice(s.start, s.stop) for s in block.y_spans)]) for block in blocks)
        result = self.check.finish()
        return comm.bcast(result and [result.passed, result.rows])


def cases() -> Iterator[tuple[Problem, list[list[Block]], list[list[int]]]]:
    for problem in PROBLEMS:
        for readers in (ALL, ALONE):
            yield problem, [[whole(problem)], *([] for _ in range(comm.size - 1))], readers
    problem = PROBLEMS[0]
    halves = [block_of(problem, Grid(row=2), rank) for rank in range(2)]  # which do not lie in one piece
    yield problem, [halves, *([] for _ in range(comm.size - 1))], ALL
    yield problem, [[block_of(problem, Grid(batch=comm.size), rank)] for rank in range(comm.size)], ALL


found = []
for problem, announced, readers in cases():
    case = Case(problem, announced, readers)
    honest = [case.passes()]
    missed = []
    for number in {*range(0, case.y.size, max(1, case.y.size // PLACES)), case.y.size - 1}:
        place = np.unravel_index(number, case.y.shape)
        kept = case.y[place]
        case.y[place] = np.nan if number % 2 else kept + np.float32(0.05)
        if case.passes()[0]:
            missed.append(number)
        case.y[place] = kept
    lost, twice = case.passes(case.mine[1:]), case.passes(case.mine * 2)
    found.append({"honest": [*honest, case.passes()], "missed": missed, "lost": lost[0], "twice": twice[0]})
if comm.rank == 0:
    answer.write_text(json.dumps(found))
