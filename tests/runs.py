"""A run for tests: small settings that a test names only where they matter to it."""

from dataclasses import replace
from typing import Any

from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.record.run import Images, Run


def make_run(problem: Problem, ranks: int, **changes: Any) -> Run:
    """One node, one thread a rank, the batch cut by the ranks, one repeat without warm-up; `changes` override."""
    run = Run(
        problem=problem,
        ranks=ranks,
        nodes=1,
        ranks_per_node=ranks,
        binding="none",
        threads=1,
        grid=Grid(batch=ranks),
        movement="scatter-gather",
        backend="numpy",
        images=Images("synthetic", ""),
        weights="random",
        seed=1,
        warmups=0,
        repeats=1,
        save=False,
        launch=0,
    )
    return replace(run, **changes)
