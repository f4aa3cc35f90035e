"""The runs that a study would make at given rank counts, also beyond the cluster's size. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.experiments.convolution import plan
from orchestration.experiments.convolution.plan import ConvolutionPoint
from orchestration.experiments.convolution.study import ConvolutionSeries, ConvolutionStudy
from orchestration.planning.study import LoadedStudy
from workload.movement import descriptions as movements
from workload.movement.descriptions.description import Options

MOST_RANKS = 65536
REPLICA = "replica"


def counts(text: str) -> tuple[int, ...]:
    """`1..64`: powers of two from the first to the last, both among them; or a comma-separated list. Raises Refusal."""
    if span := re.fullmatch(r"(\d{1,6})\.\.(\d{1,6})", text.strip()):
        low, high = int(span[1]), int(span[2])
        found = {low, high, *(2**power for power in range(17) if low <= 2**power <= high)}
    else:
        words = [word.strip() for word in text.split(",")]
        found = {int(word) if re.fullmatch(r"\d{1,6}", word) else 0 for word in words}
        low, high = min(found), max(found)
    if not 1 <= low <= high <= MOST_RANKS:
        raise Refusal(f"--ranks {text!r} is no list of rank counts: give for example 1..64 or 1,2,4")
    return tuple(sorted(found))


@dataclass(frozen=True)
class WantedPoint:
    """A point, the options that its movement has, and how often it is repeated: all launches, warm-ups among them."""

    point: ConvolutionPoint
    options: Options
    repeats: int


def points(loaded: LoadedStudy, inventory: Inventory, ranks: Sequence[int]) -> tuple[list[WantedPoint], list[str]]:
    """The study's points at these counts, and one line for each count that a series cannot take. Raises Refusal."""
    study = loaded.study
    if not isinstance(study, ConvolutionStudy):
        raise Refusal(f"study {loaded.source} is not of the convolution, which alone a probe foretells")
    found: list[WantedPoint] = []
    notes: list[str] = []
    for series in study.series:
        if series.profiles is not None and inventory.profile not in series.profiles:
            notes.append(f"series {series.name} is for {' and '.join(series.profiles)}: left out (--series names it)")
            continue
        settings = plan.settle(study, series)
        if REPLICA in settings.movement:
            notes.append(f"series {series.name}: movement {REPLICA}, wrong on purpose, is left out")
        for count in ranks:
            at_count = _at(series, count)
            try:
                made = plan.points_of(settings, at_count, inventory, notes)
            except ValueError as error:
                notes.append(f"series {series.name}: {count} ranks left out ({error})")
                continue
            repeats = settings.launches * (settings.warmups + settings.repeats)
            wanted = [
                WantedPoint(point, movements.describe(point.movement).options_among(settings.options), repeats)
                for point in made
                if point.movement != REPLICA
            ]
            found += [each for each in wanted if each not in found]
    if not found:
        raise Refusal(f"study {loaded.source} has no run at these rank counts: {'; '.join(notes)}")
    return found, notes


def _at(series: ConvolutionSeries, count: int) -> ConvolutionSeries:
    """The series at one rank count, whatever its own limits."""
    return series.model_copy(update={"ranks": [count], "max_ranks": None})


def placement(ranks: int, inventory: Inventory) -> tuple[int, int]:
    """How many nodes so many ranks take, and how many each: a lone node takes all, others as many as they have slots.

    A cluster of several nodes is taken to grow by nodes like its head.
    """
    if len(inventory.nodes) == 1:
        return 1, ranks
    slots = inventory.nodes[0].slots
    return -(-ranks // slots), min(ranks, slots)
