"""The runs of a program that a study makes on a cluster. Pure but for the archives of its templates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.experiments.program import expressions
from orchestration.experiments.program.files import Archive
from orchestration.experiments.program.study import GIVEN, ProgramSeries, ProgramStudy
from orchestration.jobs.launchers.placement import NodeCpus
from orchestration.planning.binding import NONE, binding_of, described
from orchestration.planning.plan import Plan, PlannedRun, make_plan, rank_counts, spread
from workload.record.program import ProgramRun
from workload.record.run import Workload

MOST_UNEVEN = 0.02  # of the work per rank of a weak series

Render = Callable[[Mapping[str, str]], Archive]  # the files made for a point, by name, packed


@dataclass(frozen=True)
class ProgramPlan(PlannedRun):
    """A planned run with what its job needs to know besides: the nodes, and where the program came from."""

    machines: tuple[Mapping[str, Any], ...] = ()
    provenance: Mapping[str, Any] | None = None
    launcher_path: str | None = None
    environment: Mapping[str, str] | None = None  # of the job, where that is not the executor's own
    brings_its_own: bool = True


@dataclass(frozen=True)
class PlanContext:
    """What a plan depends on besides the study."""

    inventory: Inventory
    cpus: NodeCpus
    machines: tuple[Mapping[str, Any], ...]
    archive: Archive
    templates: Mapping[str, str]  # their text by name
    render: Render
    launcher: str
    launcher_path: str | None
    environment: Mapping[str, str] | None
    provenance: Mapping[str, Any]
    workload: Workload


@dataclass(frozen=True)
class ProgramPoint:
    """One place of a series: what is run without its launch."""

    series: ProgramSeries
    ranks: int
    nodes: int
    ranks_per_node: int
    definitions: Mapping[str, Any]
    values: Mapping[str, Any]
    size: float | None
    crossed: tuple[str, ...]
    allowed_ranks: int
    memory_bytes: float | None = None  # of each rank, at its peak, as the study states it


def make(study: ProgramStudy, source: str, context: PlanContext) -> Plan:
    """The runs of the study on the cluster. Raises Refusal naming file, series and what is wrong."""
    notes: list[str] = []
    points: list[ProgramPoint] = []
    for series in study.series:
        if series.profiles is not None and context.inventory.profile not in series.profiles:
            notes.append(f"series {series.name} is for {' and '.join(series.profiles)}: left out (--series names it)")
            continue
        try:
            found = list(points_of(study, series, context.inventory))
            notes += _check_work(series, found)
        except ValueError as error:
            raise Refusal(f"study {source}, series {series.name}: {error}") from error
        points += found
    if not points:
        raise Refusal(f"study {source} has no run on a cluster of profile {context.inventory.profile}: give --ranks")
    try:
        made = make_plan(
            _of(study, None, "seed"),
            [(_of(study, point.series, "launches"), point) for point in points],
            lambda launch, point: _planned(study, launch, point, context),
            [series.name for series in study.series],
        )
    except ValueError as error:
        raise Refusal(f"study {source}: {error}") from error
    return replace(made, notes=(*notes, described(item.run.binding for item in made.runs)))


def points_of(study: ProgramStudy, series: ProgramSeries, inventory: Inventory) -> Iterator[ProgramPoint]:
    """The series' points, every combination of its lists. Raises ValueError."""
    parameters = {**study.program.parameters, **(series.parameters or {})}
    names = expressions.lists_of(parameters)
    size = series.size if series.size is not None else study.program.size
    memory = series.memory_bytes if series.memory_bytes is not None else study.program.memory_bytes
    several = series.ranks_per_node is not None and len(series.ranks_per_node) > 1
    for ranks, nodes, ranks_per_node in _placements(series, inventory):
        given = {"ranks": ranks, "nodes": nodes, "threads": _of(study, series, "threads")}
        for definitions in expressions.crossed(parameters):
            values = expressions.resolve(definitions, given)
            yield ProgramPoint(
                series, ranks, nodes, ranks_per_node, definitions, values,
                expressions.stated("size", size, {**given, **values}),
                (*names, "ranks_per_node") if several else names,
                inventory.slots * (series.oversubscribe or 1),
                expressions.stated("memory_bytes", memory, {**given, **values}),
            )  # fmt: skip


def _placements(series: ProgramSeries, inventory: Inventory) -> Iterator[tuple[int, int, int]]:
    """Ranks, nodes and the most ranks on one of them."""
    if series.nodes is None:
        for ranks in rank_counts(series, inventory.slots):
            if series.max_ranks is None or ranks <= series.max_ranks:
                yield (ranks, *spread(ranks, inventory))
        return
    for nodes in series.nodes:
        if nodes > len(inventory.nodes):
            raise ValueError(f"nodes = {nodes}, but the cluster has {len(inventory.nodes)}: give fewer")
        for ranks_per_node in series.ranks_per_node or [min(node.slots for node in inventory.nodes)]:
            yield nodes * ranks_per_node, nodes, ranks_per_node


def _check_work(series: ProgramSeries, points: list[ProgramPoint]) -> list[str]:
    """Lines on the work per rank of a series. Raises ValueError where a weak one's is not the same."""
    sizes = [(point.ranks, point.size) for point in points if point.size is not None]
    if series.scaling != "weak":
        return []
    if not sizes:
        return [f"series {series.name}: no size states the work, so nothing checks that each rank has the same"]
    shares = ", ".join(f"{size / ranks:.4g} on {ranks}" for ranks, size in sizes[:8])
    worst = max(
        expressions.unequal([(p.ranks, p.size or 1.0) for p in points if _same_line(p, first)]) for first in points
    )
    if worst > MOST_UNEVEN and not series.uneven:
        raise ValueError(
            f"the work per rank varies by {worst:.0%} ({shares}): more than {MOST_UNEVEN:.0%} is no weak scaling; "
            "mend size or the parameters, or set uneven = true"
        )
    return [f"series {series.name}: work per rank {shares}"]


def _same_line(one: ProgramPoint, other: ProgramPoint) -> bool:
    return all(one.definitions.get(name) == other.definitions.get(name) for name in one.crossed)


def _of(study: ProgramStudy, series: ProgramSeries | None, name: str) -> Any:
    own = None if series is None else getattr(series, name)
    return getattr(study, name) if own is None else own


def _planned(study: ProgramStudy, launch: int, point: ProgramPoint, context: PlanContext) -> ProgramPlan:
    values = {
        **point.values, "ranks": point.ranks, "nodes": point.nodes, "threads": _of(study, point.series, "threads"),
        "launch": launch, "python": context.inventory.python,
    }  # fmt: skip
    words = [expressions.fill(word, values) for word in study.program.command]
    texts = {name: expressions.fill(text, values) for name, text in context.templates.items()}
    archives = [context.archive, *([context.render(texts)] if texts else [])]
    return ProgramPlan(
        _run_of(study, point, context, values, archives),
        (point.series.name,),
        _of(study, point.series, "timeout_s"),
        point.allowed_ranks,
        peak_bytes=None if point.memory_bytes is None else (math.ceil(point.memory_bytes),) * point.ranks,
        point=(point.ranks, point.nodes, tuple(sorted(point.values.items()))),
        label=_crossed_values(point) or words[0],
        cells=(" ".join(words), f"{point.size:.6g}" if point.size is not None else ""),
        files=tuple(archive.path for archive in archives),
        machines=context.machines,
        provenance={**context.provenance, "argv": words},
        launcher=context.launcher,
        launcher_path=context.launcher_path,
        environment=context.environment,
    )


def _run_of(
    study: ProgramStudy, point: ProgramPoint, context: PlanContext, values: Mapping[str, Any], archives: list[Archive]
) -> ProgramRun:
    """`values` are what placeholders stand for."""
    program, slots = study.program, min(node.slots for node in context.inventory.nodes)
    bound = point.ranks_per_node <= slots
    return ProgramRun(
        command=tuple(program.command),
        parameters=dict(point.values),
        definitions=dict(point.definitions),
        crossed=point.crossed,
        size=point.size if point.size is not None else _unstated(point),
        states_size=point.size is not None,
        ranks=point.ranks,
        nodes=point.nodes,
        ranks_per_node=point.ranks_per_node,
        binding=binding_of(point.ranks_per_node, values["threads"], context.cpus) if bound else NONE,
        threads=values["threads"],
        launcher=context.launcher,
        metrics=tuple(metrics_of(study)),
        success=program.success.model_dump(),
        files="+".join(archive.digest for archive in archives),
        stdin=program.stdin,
        keep=tuple(expressions.fill(name, values) for name in program.keep),
        environment=dict(program.environment),
        launch=values["launch"],
        workload=context.workload,
    )


def _crossed_values(point: ProgramPoint) -> str:
    """What tells the point from others of its series; its parameters where nothing is crossed."""
    shown = {name: str(point.values.get(name, point.definitions.get(name))) for name in point.crossed}
    shown |= {"ranks_per_node": str(point.ranks_per_node)} if "ranks_per_node" in shown else {}
    return ", ".join(f"{name} {value}" for name, value in (shown or point.values).items())


def _unstated(point: ProgramPoint) -> float:
    """The work of a point whose study states none."""
    return float(point.ranks) if point.series.scaling == "weak" else 1.0


def metrics_of(study: ProgramStudy) -> Iterator[dict[str, Any]]:
    """The metrics as a record has them."""
    for name, metric in study.program.metrics.items():
        yield {
            "name": name, "unit": metric.unit, "higher": metric.higher, "headline": metric.headline,
            "pattern": metric.pattern, "file": metric.file, "json": metric.json_path, "csv": metric.csv,
        }  # fmt: skip


def check_placeholders(study: ProgramStudy, templates: Mapping[str, str]) -> None:
    """Raises ValueError where the command, a kept name or a template names what is no parameter."""
    for series in study.series:
        known = dict.fromkeys([*GIVEN, *study.program.parameters, *(series.parameters or {})], 1)
        for text in [*study.program.command, *study.program.keep, *templates.values()]:
            expressions.fill(text, known)


def template_texts(folder: Path, names: list[str]) -> dict[str, str]:
    """The templates of a program. Raises Refusal where one is not there or no text."""
    texts = {}
    for name in names:
        try:
            texts[name] = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Refusal(f"template {name} cannot be read from {folder} ({error}): mend templates") from error
    return texts
