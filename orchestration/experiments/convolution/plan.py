"""The runs of one convolution that a study makes on a cluster. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.experiments.convolution.study import AUTO, FASTER, ConvolutionSeries, ConvolutionStudy
from orchestration.jobs.launchers.placement import NodeCpus
from orchestration.planning.binding import NONE, binding_of, described
from orchestration.planning.plan import Plan, PlannedRun, make_plan, rank_counts, spread
from orchestration.planning.study import RANKS, SLOTS
from workload.domain import backends
from workload.domain.backends import SIMD
from workload.domain.grid import Grid, check_grid
from workload.domain.problem import Problem
from workload.movement import descriptions as movements
from workload.movement.descriptions.footprint import choose_grid, predict
from workload.movement.descriptions.pairing import unpaired
from workload.record.run import Images, Run, Workload

Pool = Callable[
    [str, Problem, int], tuple[Images, Path]
]  # (images, problem, seed) -> the pool of pictures, and its file


@dataclass(frozen=True)
class ConvolutionPoint:
    """One place of a series: a run without its launch, digests and binding."""

    series: str
    problem: Problem
    ranks: int
    grid: Grid
    movement: str
    backend: str
    allowed_ranks: int  # slots, or the multiple of them that the series asks for


@dataclass(frozen=True)
class ConvolutionContext:
    """What a plan depends on besides the study."""

    inventory: Inventory
    cpus: NodeCpus
    pool: Pool
    workload: Workload


def make(study: ConvolutionStudy, source: str, context: ConvolutionContext) -> Plan:
    """The runs of the study on the cluster; `source` is the study's file.

    Raises Refusal, naming file and series, where a size, a grid or a rank count is wrong.
    """
    notes: list[str] = []
    points = _points(study, source, context.inventory, notes)
    try:
        made = make_plan(
            study.seed,
            [(item[0].launches, item) for item in points],
            lambda launch, item: _planned(launch, *item, context),
            [series.name for series in study.series],
        )
    except ValueError as error:
        raise Refusal(f"study {source}: {error}") from error
    return replace(made, notes=(*notes, described(item.run.binding for item in made.runs)))


def _points(
    study: ConvolutionStudy, source: str, inventory: Inventory, notes: list[str]
) -> list[tuple[Settled, ConvolutionPoint]]:
    """All points of all series for this cluster, at least one. Raises Refusal."""
    points: list[tuple[Settled, ConvolutionPoint]] = []
    for series in study.series:
        if series.profiles is not None and inventory.profile not in series.profiles:
            notes.append(f"series {series.name} is for {' and '.join(series.profiles)}: left out (--series names it)")
            continue
        settings = settle(study, series)
        try:
            points += [(settings, point) for point in points_of(settings, series, inventory, notes)]
        except ValueError as error:
            raise Refusal(f"study {source}, series {series.name}: {error}") from error
    if not points:
        names = ",".join(series.name for series in study.series)
        raise Refusal(
            f"study {source} has no run on a cluster of profile {inventory.profile}: "
            f"give --series with some of {names}, or more --ranks"
        )
    return points


@dataclass(frozen=True)
class Settled:
    """The settings that hold for a series: its own where it has one, else the study's."""

    launches: int
    repeats: int
    warmups: int
    seed: int
    timeout_s: float
    threads: int
    images: str
    weights: str
    backend: tuple[str, ...]
    movement: tuple[str, ...]
    save: bool
    options: Mapping[str, int | bool]
    stores: str
    sizes: Mapping[str, int | None]


def settle(study: ConvolutionStudy, series: ConvolutionSeries) -> Settled:
    """The series' settings over the study's."""
    values: dict[str, Any] = {}
    for name in Settled.__dataclass_fields__:
        if name == "sizes":
            continue
        own = getattr(series, name, None)  # stores are the study's alone
        value = getattr(study, name) if own is None else own
        values[name] = tuple(value) if isinstance(value, list) else value
    sizes = study.problem.model_dump() | series.problem.model_dump(exclude_none=True)
    return Settled(**values, sizes=sizes)


def points_of(
    settings: Settled, series: ConvolutionSeries, inventory: Inventory, notes: list[str]
) -> list[ConvolutionPoint]:
    """The series' points; what it leaves out goes to `notes`. Raises ValueError."""
    points: list[ConvolutionPoint] = []
    listed = series.ranks != SLOTS
    allowed = inventory.slots * (series.oversubscribe or 1)
    for ranks in rank_counts(series, inventory.slots):
        for problem in problems_of(settings, series, ranks):
            grid = None
            try:
                if series.max_ranks is not None and ranks > series.max_ranks:
                    raise ValueError(f"ranks = {ranks} is above max_ranks = {series.max_ranks}")
                grid = grid_of(series, problem, ranks, settings)
            except ValueError as error:
                if listed:
                    raise ValueError(f"ranks = {ranks}: {error}") from error
                notes.append(f"series {series.name}: {ranks} ranks left out ({error})")
            if grid is not None:
                _refuse_unpaired(settings)
                points += _crossed(settings, ConvolutionPoint(series.name, problem, ranks, grid, "", "", allowed))
    if series.scaling == "strong":
        problem = problems_of(settings, series, 1)[0]
        one = ConvolutionPoint(series.name, problem, 1, Grid(), "serial", "", allowed)
        points += [replace(one, backend=backend) for backend in _serial_backends(settings)]
    return points


def problems_of(settings: Settled, series: ConvolutionSeries, ranks: int) -> list[Problem]:
    """The problem at that rank count; several where the series sweeps the batch. Raises ValueError."""
    if series.scaling == "weak":
        if series.batch_per_rank is None:
            raise ValueError("a weak series needs batch_per_rank: the images of one rank")
        batches = [series.batch_per_rank * ranks]
    elif series.scaling == "size":
        if series.batch is None:
            raise ValueError("a size series needs batch: the list of batches")
        batches = series.batch
    else:
        batches = [settings.sizes["batch"]] if settings.sizes["batch"] is not None else []
    sizes = {name: value for name, value in settings.sizes.items() if value is not None}
    # without a batch Problem names the key that is missing
    return [Problem.from_dict({**sizes, "batch": batch}) for batch in batches] or [Problem.from_dict(sizes)]


def grid_of(series: ConvolutionSeries, problem: Problem, ranks: int, settings: Settled) -> Grid:
    """The series' grid at that rank count. Raises ValueError where it does not fit the problem or the ranks.

    `auto` is one grid for all movements of the series, the first one's cheapest: else they could not be compared.
    """
    if series.grid == AUTO:
        movement = next((name for name in settings.movement if movements.describe(name).takes(ranks)), "distributed")
        return choose_grid(problem, ranks, movement, settings.options)
    grid = Grid.from_dict({axis: ranks if parts == RANKS else parts for axis, parts in series.grid.items()})
    check_grid(problem, grid)
    if grid.ranks != ranks:
        raise ValueError(f"the grid has {grid.ranks} parts, not {ranks}: let one axis be {RANKS!r}")
    return grid


def _serial_backends(settings: Settled) -> list[str]:
    """Those that compute on a core; what a GPU does stands against simd on the same machine."""
    ours = (SIMD if backends.describe(name).on_gpu else name for name in settings.backend)
    return list(dict.fromkeys(ours))


def _refuse_unpaired(settings: Settled) -> None:
    """Raises ValueError where a backend has no movement in the series that brings it data, or the other way round."""
    for backend in settings.backend:
        if all(unpaired(movement, backend) for movement in settings.movement):
            raise ValueError(unpaired(settings.movement[0], backend))
    for movement in settings.movement:
        if all(unpaired(movement, backend) for backend in settings.backend):
            raise ValueError(unpaired(movement, settings.backend[0]))


def _crossed(settings: Settled, point: ConvolutionPoint) -> list[ConvolutionPoint]:
    """The point with every backend and movement that go together; `serial` exists at one rank only."""
    return [
        replace(point, backend=backend, movement=movement)
        for backend in settings.backend
        for movement in settings.movement
        if movements.describe(movement).takes(point.ranks) and unpaired(movement, backend) is None
    ]


def _planned(launch: int, settings: Settled, point: ConvolutionPoint, context: ConvolutionContext) -> PlannedRun:
    images, file = context.pool(settings.images, point.problem, settings.seed)
    run = _run_of(launch, settings, point, context, images)
    footprint = predict(run.problem, run.grid, run.movement, run.options, run.ranks_per_node, backend=run.backend)
    return PlannedRun(
        run,
        (point.series,),
        settings.timeout_s,
        point.allowed_ranks,
        point=(run.problem, run.ranks, run.movement, run.backend, run.grid, *sorted(run.options.items())),
        label=f"batch {run.problem.batch}, {run.movement}, {run.backend}",
        cells=(str(run.problem.batch), run.movement, run.backend),
        peak_bytes=tuple(footprint.peak_bytes),
        window_bytes=footprint.window_bytes,
        predicted={"peak_bytes": list(footprint.peak_bytes), "moved_bytes": footprint.moved_bytes},
        repeats=run.warmups + run.repeats,
        files=(file,),
        disk_bytes=run.problem.y_bytes if run.save else 0,
        shares_folder=run.save and run.nodes > 1,
        settled=_stated(settings.stores, run.backend),
    )


def _run_of(
    launch: int, settings: Settled, point: ConvolutionPoint, context: ConvolutionContext, images: Images
) -> Run:
    nodes, ranks_per_node = spread(point.ranks, context.inventory)
    slots = min(node.slots for node in context.inventory.nodes)
    # mpirun binds no more ranks than it was given slots
    binding = binding_of(ranks_per_node, settings.threads, context.cpus) if ranks_per_node <= slots else NONE
    return Run(
        problem=point.problem,
        ranks=point.ranks,
        nodes=nodes,
        ranks_per_node=ranks_per_node,
        binding=binding,
        threads=settings.threads,
        grid=point.grid,
        movement=point.movement,
        backend=point.backend,
        images=images,
        weights=settings.weights,
        seed=settings.seed,
        warmups=settings.warmups,
        repeats=settings.repeats,
        save=settings.save,
        launch=launch,
        options=movements.describe(point.movement).options_among(settings.options),
        workload=context.workload,
    )


def _stated(stores: str, backend: str) -> dict[str, Any]:
    """What the study says of the stores; nothing where runs find out, or where the backend has no others."""
    if stores == FASTER or stores not in backends.describe(backend).stores:
        return {}
    return {"stores": {"taken": stores, "convolve_s": {}}}
