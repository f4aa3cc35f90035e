"""How results see the convolution: a variant is a movement and a backend, the size is the batch.

Nothing else but the convolution's own tables, figures, gates and forecasts reads a run's movement, backend and options.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from results.records.experiment import RecordedExperiment, Variant, Work
from results.records.measurement import Measured
from results.records.phases import phases_of
from workload.domain import backends
from workload.domain.backends import SIMD
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.movement.descriptions import describe
from workload.movement.descriptions.footprint import Footprint, predict
from workload.record.digest import canonical_json
from workload.record.run import Run

SERIAL, SHARED = "serial", "shared"
PARALLEL_FRACTION = 0.9  # the paper's estimate, from which its ideal speedups follow
LINE = ("movement", "backend", "threads", "options", "weights", "save")


class RecordedConvolution(RecordedExperiment):
    """What results need to know of the convolution."""

    variant_words = "movement and backend"
    size_key = "batch"
    size_symbol = "B"
    clocks = ("forward_s", "total_s", "convolve_s")
    clocks_note = (
        "Forward time runs from all input in place to all output in place, longest over ranks; total adds load and "
        "save; convolve is the longest convolution of a rank. Rates and speedups rest on forward time."
    )
    parallel_fraction = PARALLEL_FRACTION

    def measured(self, record: Mapping[str, Any], _run: Run) -> Measured:
        return phases_of(record)

    def title(self, run: Run) -> str:
        size = run.problem
        return (
            f"{size.kernel_size} x {size.kernel_size} convolution of {size.height} x {size.width} images, "
            f"{size.in_channels} to {size.out_channels} channels"
        )

    def variant(self, run: Run) -> Variant:
        key = canonical_json({name: dict(run.options) if name == "options" else getattr(run, name) for name in LINE})
        return variant_of(run.movement, run.backend, run.options, key)

    def size(self, run: Run) -> int:
        return run.problem.batch

    def problem(self, run: Run) -> tuple[object, ...]:
        return tuple(run.problem.as_dict().values())

    def family(self, run: Run) -> tuple[object, ...]:
        return tuple(size for name, size in run.problem.as_dict().items() if name != self.size_key)

    def division(self, run: Run) -> tuple[object, ...]:
        return tuple(run.grid.as_dict().values())

    def work(self, run: Run) -> Work:
        return Work(run.problem.batch, "images")

    def operations(self, run: Run) -> int:
        return run.problem.flops

    def shapes(self, run: Run) -> Mapping[str, object]:
        problem = run.problem
        return {
            "input_shape": problem.x_shape,
            "kernel_size": problem.kernel_size,
            "output_shape": problem.y_shape,
        }

    def settings(self, run: Run) -> Mapping[str, str]:
        return {
            "Pictures": f"{run.images.kind} {run.images.digest[:12]}",
            "Weights": run.weights,
            "Seed": str(run.seed),
        }

    def yardstick(self, run: Run) -> str:
        return run.backend

    def serial_code(self, run: Run) -> str:
        return SIMD if on_gpu(run) else run.backend

    def is_serial(self, run: Run) -> bool:
        return run.movement == SERIAL

    def why_uncounted(self, run: Run) -> str:
        return f"{run.movement} computes something else" if describe(run.movement).wrong_on_purpose else ""


def on_gpu(run: Run) -> bool:
    """Whether it was computed on GPUs, so that no limit of a core holds for it."""
    return backends.describe(run.backend).on_gpu


def footprint_of(run: Run) -> Footprint:
    """Bytes that a run was predicted to hold and move. Raises ValueError for options that are not accepted."""
    return _footprint(run.problem, run.grid, run.movement, tuple(sorted(run.options.items())), run.ranks_per_node)


@lru_cache(maxsize=1024)
def _footprint(
    problem: Problem, grid: Grid, movement: str, options: tuple[tuple[str, Any], ...], ranks_per_node: int
) -> Footprint:
    """Several gates and tables ask for that of every launch, and all launches of a point have the same."""
    return predict(problem, grid, movement, dict(options), ranks_per_node)


def holds_shared_pages(run: Run) -> bool:
    """Whether ranks share pages, which count in whichever rank touched them."""
    return run.movement == SHARED


def variant_of(movement: str, backend: str, options: Mapping[str, object], key: str = "") -> Variant:
    """The variant of these settings; without a key if it is only forecast and belongs to no line."""
    # a switch is there only where it is on
    told = ", ".join(name if value is True else f"{name} {value}" for name, value in sorted(options.items()))
    switches = "".join(f" {name.replace('_', ' ')}" for name, value in sorted(options.items()) if value is True)
    return Variant(
        names={"movement": movement, "backend": backend},
        detailed={"movement": f"{movement} ({told})" if told else movement, "backend": backend},
        phrase=f"{movement}{switches} with {backend}",
        key=key,
    )
