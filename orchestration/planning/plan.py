"""A plan: which runs a study makes on a cluster, in which order, and which of them are not to start. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.planning.study import AUTO, RANKS, SLOTS, LoadedStudy, Series, Study
from workload.domain import movements
from workload.domain.footprint import Footprint, choose_grid, predict
from workload.domain.grid import Grid, check_grid
from workload.domain.problem import Problem
from workload.record.run import Images, Run, Workload

MEMORY_SHARE = 0.9  # of a node's memory that predicted peaks may fill

Pool = Callable[[str, Problem, int], Images]  # (images, problem, seed) -> the pool of pictures, made or found


@dataclass(frozen=True)
class Point:
    """One place of a series: a run without its launch, digests and binding."""

    series: str
    problem: Problem
    ranks: int
    grid: Grid
    movement: str
    backend: str
    allowed_ranks: int  # slots, or the multiple of them that the series asks for


@dataclass(frozen=True)
class PlannedRun:
    """A run, the series that want it, its place in the order, and its limits."""

    run: Run
    series: tuple[str, ...]
    sequence: int
    timeout_s: float
    allowed_ranks: int
    footprint: Footprint


@dataclass(frozen=True)
class Plan:
    """All runs of a sweep in order; `notes` names what was left out and the binding policy."""

    runs: tuple[PlannedRun, ...]
    notes: tuple[str, ...]


def make(loaded: LoadedStudy, inventory: Inventory, cores: int, pool: Pool, workload: Workload) -> Plan:
    """The runs of the study on the cluster; `cores` is the least number of physical cores of its nodes,
    0 where they share one machine's.

    Raises Refusal, naming the study's file and series, where a size, a grid or a rank count is wrong.
    """
    study = loaded.study
    notes: list[str] = []
    points: list[tuple[Settled, Point]] = []
    for series in study.series:
        if series.profiles is not None and inventory.profile not in series.profiles:
            notes.append(f"series {series.name} is for {' and '.join(series.profiles)}: left out (--series names it)")
            continue
        settings = settle(study, series)
        try:
            points += [(settings, point) for point in points_of(settings, series, inventory, notes)]
        except ValueError as error:
            raise Refusal(f"study {loaded.source}, series {series.name}: {error}") from error
    if not points:
        names = ",".join(series.name for series in study.series)
        raise Refusal(
            f"study {loaded.source} has no run on a cluster of profile {inventory.profile}: "
            f"give --series with some of {names}, or more --ranks"
        )
    binding, note = binding_policy(points, inventory, cores)
    ordered = _shuffled(study.seed, points)
    try:
        order = [series.name for series in study.series]
        runs = _merge((_run(item, inventory, binding, pool, workload) for item in ordered), order)
    except ValueError as error:
        raise Refusal(f"study {loaded.source}: {error}") from error
    return Plan(runs, (*notes, note))


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
    options: Mapping[str, int]
    sizes: Mapping[str, int | None]


def settle(study: Study, series: Series) -> Settled:
    """The series' settings over the study's."""
    values: dict[str, Any] = {}
    for name in Settled.__dataclass_fields__:
        if name == "sizes":
            continue
        own = getattr(series, name)
        value = getattr(study, name) if own is None else own
        values[name] = tuple(value) if isinstance(value, list) else value
    sizes = study.problem.model_dump() | series.problem.model_dump(exclude_none=True)
    return Settled(**values, sizes=sizes)


def points_of(settings: Settled, series: Series, inventory: Inventory, notes: list[str]) -> list[Point]:
    """The series' points; what it leaves out goes to `notes`. Raises ValueError."""
    points: list[Point] = []
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
                points += _crossed(settings, Point(series.name, problem, ranks, grid, "", "", allowed))
    if series.scaling == "strong":
        problem = problems_of(settings, series, 1)[0]
        one = Point(series.name, problem, 1, Grid(), "serial", "", allowed)
        points += [replace(one, backend=backend) for backend in settings.backend]
    return points


def rank_counts(series: Series, slots: int) -> list[int]:
    """The series' rank counts before the grid has its say, ascending, each once."""
    if series.ranks != SLOTS:
        return sorted(set(series.ranks))
    counts = [2**power for power in range(slots.bit_length()) if 2**power < slots] + [slots]
    return counts + ([slots * series.oversubscribe] if series.oversubscribe else [])


def problems_of(settings: Settled, series: Series, ranks: int) -> list[Problem]:
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


def grid_of(series: Series, problem: Problem, ranks: int, settings: Settled) -> Grid:
    """The series' grid at that rank count. Raises ValueError where it does not fit the problem or the ranks.

    `auto` is one grid for all movements of the series, the first one's cheapest: else they could not be compared.
    """
    if series.grid == AUTO:
        movement = next((name for name in settings.movement if name != "serial"), "distributed")
        return choose_grid(problem, ranks, movement, settings.options)
    grid = Grid.from_dict({axis: ranks if parts == RANKS else parts for axis, parts in series.grid.items()})
    check_grid(problem, grid)
    if grid.ranks != ranks:
        raise ValueError(f"the grid has {grid.ranks} parts, not {ranks}: let one axis be {RANKS!r}")
    return grid


def _crossed(settings: Settled, point: Point) -> list[Point]:
    """The point with every backend and movement; `serial` exists at one rank only."""
    return [
        replace(point, backend=backend, movement=movement)
        for backend in settings.backend
        for movement in settings.movement
        if movement != "serial" or point.ranks == 1
    ]


def placement(ranks: int, inventory: Inventory) -> tuple[int, int]:
    """How many nodes the ranks use, head first, and the most on one: slots are filled node by node."""
    room = 0
    for used, node in enumerate(inventory.nodes, start=1):
        room += node.slots
        if room >= ranks:
            return used, min(ranks, max(item.slots for item in inventory.nodes[:used]))
    nodes = len(inventory.nodes)
    return nodes, -(-ranks // nodes)


def binding_policy(points: Sequence[tuple[Settled, Point]], inventory: Inventory, cores: int) -> tuple[str, str]:
    """One policy for all, and the line that says so: `core` where every run's threads have cores of their own."""
    slots = min(node.slots for node in inventory.nodes)
    if cores == 0:
        return "none", "binding: none, for every run (the nodes share one machine's cores)"
    for settings, point in points:
        ranks = placement(point.ranks, inventory)[1]
        if ranks > slots or ranks * settings.threads > cores:
            threads = f" of {settings.threads} threads" if settings.threads > 1 else ""
            return (
                "none",
                f"binding: none, for every run (up to {ranks} ranks{threads} on a node of {min(slots, cores)} cores)",
            )
    return "core", "binding: every rank to its own cores"


def _shuffled(seed: int, points: Sequence[tuple[Settled, Point]]) -> list[tuple[int, Settled, Point]]:
    """Launch after launch, each with its points in an order of its own."""
    ordered: list[tuple[int, Settled, Point]] = []
    for launch in range(max(settings.launches for settings, _ in points)):
        those = [(launch, settings, point) for settings, point in points if launch < settings.launches]
        random.Random(f"{seed}/{launch}").shuffle(those)  # noqa: S311  an order, no secret
        ordered += those
    return ordered


def _run(
    item: tuple[int, Settled, Point], inventory: Inventory, binding: str, pool: Pool, workload: Workload
) -> PlannedRun:
    launch, settings, point = item
    nodes, ranks_per_node = placement(point.ranks, inventory)
    run = Run(
        problem=point.problem,
        ranks=point.ranks,
        nodes=nodes,
        ranks_per_node=ranks_per_node,
        binding=binding,
        threads=settings.threads,
        grid=point.grid,
        movement=point.movement,
        backend=point.backend,
        images=pool(settings.images, point.problem, settings.seed),
        weights=settings.weights,
        seed=settings.seed,
        warmups=settings.warmups,
        repeats=settings.repeats,
        save=settings.save,
        launch=launch,
        options=options_of(point.movement, settings.options),
        workload=workload,
    )
    footprint = predict(point.problem, point.grid, point.movement, run.options, ranks_per_node, backend=point.backend)
    return PlannedRun(run, (point.series,), 0, settings.timeout_s, point.allowed_ranks, footprint)


def options_of(movement: str, options: Mapping[str, int]) -> dict[str, int]:
    """Those of the options that the movement has; others' would make one run look like two."""
    return {name: value for name, value in options.items() if name in movements.describe(movement).options}


def _merge(planned: Iterable[PlannedRun], order: Sequence[str]) -> tuple[PlannedRun, ...]:
    """Every run once, under all its series, numbered in order."""
    merged: dict[str, PlannedRun] = {}
    for item in planned:
        seen = merged.get(item.run.run_id)
        if seen is None:
            merged[item.run.run_id] = replace(item, sequence=len(merged))
        else:
            series = tuple(sorted({*seen.series, *item.series}, key=order.index))
            merged[item.run.run_id] = replace(
                seen,
                series=series,
                timeout_s=max(seen.timeout_s, item.timeout_s),
                allowed_ranks=max(seen.allowed_ranks, item.allowed_ranks),
            )
    return tuple(merged.values())


def on_every_slot(inventory: Inventory, binding: str, timeout_s: float) -> PlannedRun:
    """A run as the launcher takes it, a rank a slot of every node; what it would compute is not looked at."""
    run = Run(
        problem=Problem(inventory.slots, 1, 1, 3, 3, 3),
        ranks=inventory.slots,
        nodes=len(inventory.nodes),
        ranks_per_node=max(node.slots for node in inventory.nodes),
        binding=binding,
        threads=1,
        grid=Grid(batch=inventory.slots),
        movement="distributed",
        backend="numpy",
        images=Images("synthetic", ""),
        weights="random",
        seed=0,
        warmups=0,
        repeats=1,
        save=False,
        launch=0,
    )
    return PlannedRun(run, (), 0, timeout_s, inventory.slots, Footprint((), (), 0))


def skip_reason(planned: PlannedRun, inventory: Inventory, cgroup_memory_bytes: Sequence[int | None]) -> str | None:
    """Why the run is not to start here, None where it is; `cgroup_memory_bytes` a node, None for no limit."""
    run = planned.run
    if run.ranks > planned.allowed_ranks:
        return f"{run.ranks} ranks on {inventory.slots} slots, and the series does not ask to oversubscribe"
    peaks = list(planned.footprint.peak_bytes)
    for index, node in enumerate(inventory.nodes[: run.nodes]):
        here, peaks = peaks[: run.ranks_per_node], peaks[run.ranks_per_node :]
        limit = min(node.memory_bytes, cgroup_memory_bytes[index] or node.memory_bytes)
        if sum(here) > MEMORY_SHARE * limit:
            return (
                f"predicted peaks on {node.name} add up to {sum(here) / 2**20:.0f} MiB: "
                f"more than {MEMORY_SHARE:.0%} of its {limit / 2**20:.0f} MiB"
            )
    return None
