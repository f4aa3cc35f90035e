"""Reads sweep folders. A record that cannot be used becomes a one-line problem."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from results.records.experiment import RecordedExperiment
from results.records.kinds import CONVOLUTION
from results.records.launch import RecordedLaunch
from results.records.marks import BESIDE, SHARED_NODES
from results.records.parse import parse
from results.records.point import RecordedPoint, group
from workload.record.files import read_json
from workload.record.kinds import read_record
from workload.record.ledger import read_ledger
from workload.record.schema import SchemaError

STRONG, WEAK, SIZE = "strong", "weak", "size"


class SweepError(ValueError):
    """A folder cannot be read as a sweep; the message says why, and what to do."""


@dataclass(frozen=True)
class RecordedSeries:
    """A series of the study: points over rank counts or, for `size`, over sizes."""

    sweep: str
    name: str
    scaling: str
    points: tuple[RecordedPoint, ...]

    @property
    def experiment(self) -> RecordedExperiment:
        """The kind of experiment of its runs; the convolution if it has no runs."""
        return self.points[0].experiment if self.points else CONVOLUTION


@dataclass(frozen=True)
class RecordedSweep:
    """One sweep folder. `study` and `inventory` are the documents as read, empty if absent.

    `unfinished`: number of runs that the ledger names and that left no record. `damaged`: ids of the runs whose record
    cannot be read.
    """

    name: str
    folder: Path
    launches: tuple[RecordedLaunch, ...]
    study: Mapping[str, Any]
    inventory: Mapping[str, Any]
    unfinished: int
    problems: tuple[str, ...]
    events: tuple[Mapping[str, Any], ...] = ()  # the ledger's lines, as read
    damaged: frozenset[str] = frozenset()

    @cached_property
    def points(self) -> tuple[RecordedPoint, ...]:
        return group(self.launches, len(self.looks))

    @property
    def looks(self) -> tuple[Mapping[str, Any], ...]:
        """The ledger's events of looking whether the points have launches enough (`--within`)."""
        return tuple(event for event in self.events if event.get("event") == "look")

    @cached_property
    def series(self) -> tuple[RecordedSeries, ...]:
        """The series in the study's order, then those that only records name."""
        scalings = {
            str(item["name"]): str(item.get("scaling", ""))
            for item in _tables(self.study.get("series"))
            if "name" in item
        }
        named = {name: None for point in self.points for name in sorted(point.series)}
        found = []
        for name in [*(name for name in scalings if name in named), *(name for name in named if name not in scalings)]:
            points = tuple(point for point in self.points if name in point.series)
            scaling = scalings.get(name, "")
            known = scaling in (STRONG, WEAK, SIZE)
            found.append(RecordedSeries(self.name, name, scaling if known else _scaling_of(points), points))
        return tuple(found)

    @property
    def experiment(self) -> RecordedExperiment:
        """The kind of experiment of its runs; the convolution if it has no runs."""
        return self.launches[0].experiment if self.launches else CONVOLUTION

    @property
    def study_name(self) -> str:
        return str(self.study.get("name", ""))

    @property
    def profile(self) -> str:
        return str(self.inventory.get("profile", ""))


def read_sweep(folder: Path) -> RecordedSweep:
    """Reads the sweep in a folder.

    Raises:
        SweepError: there is no such folder, or it has no records/.
    """
    records = folder / "records"
    if not records.is_dir():
        raise SweepError(f"{folder} is not a sweep folder: it has no records/; give a folder that fab sweep made")
    problems: list[str] = []
    study = _study(folder / "study.toml", problems)
    inventory = _inventory(folder / "inventory.json", problems)
    launches = _launches(records, _slots(inventory), _is_shared(inventory), problems)
    events = _events(folder / "ledger.jsonl", problems)
    beside = _beside(events)
    launches = [each.marked(BESIDE) if each.run_id in beside else each for each in launches]
    mentioned = _mentioned(events)
    present = {path.stem for path in records.glob("*.json")}
    return RecordedSweep(
        name=folder.resolve().name,
        folder=folder,
        launches=tuple(launches),
        study=study,
        inventory=inventory,
        unfinished=len(mentioned - present),
        problems=tuple(problems),
        events=events,
        damaged=frozenset(present - {launch.run_id for launch in launches}),
    )


def read_sweeps(folders: Sequence[Path]) -> tuple[RecordedSweep, ...]:
    """Reads several folders and makes the names of the sweeps distinct. Raises SweepError as `read_sweep` does."""
    sweeps: list[RecordedSweep] = []
    for folder in folders:
        sweep = read_sweep(folder)
        if any(sweep.folder.resolve() == other.folder.resolve() for other in sweeps):
            raise SweepError(f"{folder} is given twice: give each sweep once")
        if any(sweep.name == other.name for other in sweeps):
            sweep = RecordedSweep(**{**_fields(sweep), "name": f"{sweep.name} ({len(sweeps) + 1})"})
        sweeps.append(sweep)
    return tuple(sweeps)


def _fields(sweep: RecordedSweep) -> dict[str, Any]:
    return {name: getattr(sweep, name) for name in RecordedSweep.__dataclass_fields__}


def _launches(records: Path, slots: Mapping[str, int], shared: bool, problems: list[str]) -> list[RecordedLaunch]:
    """`shared`: what the inventory says of the nodes, where a record, being older, says nothing of its Slurm job."""
    launches = []
    for path in sorted(records.glob("*.json")):
        try:
            record = read_record(path)
            if record["run_id"] != path.stem:
                raise SchemaError(f"{path.name} holds the record of run {record['run_id']}: name it after its run")
            launch = parse(record, slots)
            job = record.get("slurm")
            launches.append(launch.marked(SHARED_NODES) if (job["shared"] if job else shared) else launch)
        except (SchemaError, OSError, RecursionError) as error:
            text = " ".join(str(error).replace(str(path), path.name).split())
            problems.append(text if path.stem in text else f"{path.name}: {text}")
    return sorted(launches, key=lambda launch: (launch.sequence, launch.run_id))


def _study(path: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{path.name} is absent: each series' kind of scaling is inferred from its records")
    except (OSError, ValueError) as error:
        problems.append(
            f"{path.name} cannot be read ({error}): each series' kind of scaling is inferred from its records"
        )
    return {}


def _inventory(path: Path, problems: list[str]) -> Mapping[str, Any]:
    try:
        return read_json(path)
    except FileNotFoundError:
        problems.append(f"{path.name} is absent: oversubscribed points are not marked")
    except (OSError, SchemaError) as error:
        problems.append(f"{path.name} cannot be read ({error}): oversubscribed points are not marked")
    return {}


def _slots(inventory: Mapping[str, Any]) -> dict[str, int]:
    slots = {}
    for node in _tables(inventory.get("nodes")):
        count = node.get("slots")
        if isinstance(count, int):
            slots.update({str(node[key]): count for key in ("name", "address") if key in node})
    return slots


def _events(path: Path, problems: list[str]) -> tuple[Mapping[str, Any], ...]:
    """The ledger's events; what is none is a problem."""
    try:
        found = read_ledger(path)
    except OSError as error:
        problems.append(f"{path.name} cannot be read ({error.strerror}): runs that never ended are not counted")
        return ()
    problems += found.problems
    return found.events


def _is_shared(inventory: Mapping[str, Any]) -> bool:
    """Whether the nodes that the sweep began on were granted by Slurm, and not whole."""
    job = inventory.get("slurm")
    return isinstance(job, Mapping) and bool(job.get("shared"))


def _beside(events: Sequence[Mapping[str, Any]]) -> set[str]:
    """Ids of the runs, as they were made last, during which another sweep was at work on the machine."""
    found: set[str] = set()
    others: set[str] = set()
    at_work = ""
    for entry in events:
        name, run_id, other = entry.get("event"), entry.get("run_id"), str(entry.get("sweep"))
        if name in ("planned", "resumed"):  # each time `fab` goes on
            others, at_work = set(), ""
        elif name in ("beside", "joined"):
            others.add(other)
            found |= {at_work} - {""}
        elif name == "left":
            others.discard(other)
        elif name == "started" and isinstance(run_id, str):
            at_work = run_id
            (found.add if others else found.discard)(run_id)
        elif name in ("ended", "interrupted"):
            at_work = ""
    return found


def _mentioned(events: Sequence[Mapping[str, Any]]) -> set[str]:
    """Ids of all runs that the ledger names."""
    found: set[str] = set()
    for entry in events:
        planned = entry.get("runs")
        named = [entry.get("run_id"), *(planned if isinstance(planned, list) else [])]
        found.update(name for name in named if isinstance(name, str))
    return found


def _scaling_of(points: Sequence[RecordedPoint]) -> str:
    """The kind of scaling that the points show: one rank count, one size, or a size that grows with the ranks."""
    ranks = {point.run.ranks for point in points}
    sizes = {point.size for point in points}
    if len(ranks) == 1 and len(sizes) > 1:
        return SIZE
    if len(sizes) == 1:
        return STRONG
    shares = {point.size / point.run.ranks for point in points}
    return WEAK if len(shares) == 1 else STRONG


def _tables(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
