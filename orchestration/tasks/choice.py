"""`fab forecast --clusters`: several clusters by what is forecast of them for the same work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.durations import duration_s
from orchestration.errors import Refusal
from orchestration.tasks import known
from orchestration.tasks.arguments import amount, words
from orchestration.tasks.common import known_clusters
from workload.record.schema import SchemaError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.planning.study import LoadedStudy, Overrides
    from results.forecast.bid import Choice, ChoiceLimits
    from results.forecast.choice import ClusterForecast
    from results.table import Table

MOST_RANKS = 4096  # of a cluster that is compared: a forecast takes longer the more ranks there are


@dataclass(frozen=True)
class Question:
    """As a person types it; empty where a flag is not given."""

    clusters: str
    deadline: str = ""
    budget_per_run: str = ""
    study: str = ""
    ranks: str = ""
    extrapolate: bool = False

    @property
    def asked(self) -> bool:
        """Whether several clusters are compared."""
        return bool(self.clusters or self.deadline or self.budget_per_run)


@dataclass(frozen=True)
class MadeChoice:
    """The bids, what is asked of them, and what they rest on line by line."""

    found: Choice
    limits: ChoiceLimits
    notes: Sequence[str]

    @property
    def table(self) -> Table:
        from results.tables.across.choice import table

        return table(self.found, self.limits)

    def write(self, folder: Path) -> Path:
        """The table and the figures as files. Raises Refusal."""
        from results.figures.choice import write

        try:
            return write(self.found, self.limits, self.table, folder)
        except OSError as error:
            raise Refusal(f"{error.filename or folder}: {error.strerror}: give another --out") from error


def choose(question: Question, overrides: Overrides) -> MadeChoice:
    """Which of the clusters to take. Raises Refusal, also where no cluster can be forecast."""
    from orchestration.experiments import load
    from results.forecast.choice import choice
    from results.forecast.probe import ForecastError

    names, limits = _names(question.clusters), limits_of(question.deadline, question.budget_per_run)
    experiment, loaded = load(question.study or "quick", overrides)
    if experiment.forebears(loaded) is not None:
        raise Refusal(f"--clusters forecasts the convolution alone, and {loaded.source} is of a program: sweep it")
    found: list[ClusterForecast] = []
    notes: dict[str, None] = {}  # in their order, each once
    left_out: dict[str, list[str]] = {}  # by the reason
    for name in names:
        try:
            each, lines = _of_cluster(name, loaded, question)
        except (Refusal, ForecastError, SchemaError) as error:
            left_out.setdefault(str(error), []).append(name)
            continue
        found.append(each)
        notes |= dict.fromkeys(lines)
    told = [f"left out {', '.join(who)}: {why}" for why, who in left_out.items()]
    if not found:
        raise Refusal("; ".join(told))
    _same_work(found)
    return MadeChoice(choice(found), limits, [*notes, *told])


def _names(text: str) -> tuple[str, ...]:
    """The clusters; each is known, and none is there twice. Raises Refusal."""
    names = words(text)
    if not names:
        raise Refusal("--deadline and --budget-per-run compare clusters: give --clusters, as c3-highcpu-22x4,light")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refusal(f"--clusters has {', '.join(twice)} twice: name each once")
    clusters = known_clusters()
    for name in names:
        clusters.provider(name)
    return names


def limits_of(deadline_text: str, budget_text: str) -> ChoiceLimits:
    """What --deadline and --budget-per-run say. Raises Refusal."""
    from results.forecast.bid import ChoiceLimits

    deadline = duration_s(deadline_text) if deadline_text else None
    if deadline_text and not deadline:
        raise Refusal(f"--deadline {deadline_text!r} is no duration: give for example --deadline 2h, 90s or 30m")
    budget = amount("--budget-per-run", budget_text)
    if budget is not None and not 0.0 < budget < math.inf:
        raise Refusal(f"--budget-per-run {budget_text}: give an amount above 0")
    return ChoiceLimits(deadline, budget)


def _of_cluster(name: str, loaded: LoadedStudy, question: Question) -> tuple[ClusterForecast, Sequence[str]]:
    """The forecasts of a cluster at rank counts up to its slots. Raises Refusal, ForecastError, SchemaError."""
    from orchestration.forecast.points import counts, points
    from orchestration.planning.study import series_of
    from results.forecast.choice import ClusterForecast
    from results.forecast.predict import rows

    of = known.known(name)
    slots = min(MOST_RANKS, of.inventory.slots)
    asked, left_out = points(loaded, of.inventory, counts(question.ranks or f"1..{slots}"))
    strong = {series.name for series in series_of(loaded.study) if series.scaling == "strong"}
    asked = [each for each in asked if each.point.series in strong]
    terms = known.terms(name, of, question.extrapolate, "")
    machine_type = of.inventory.nodes[0].machine_type or ""
    found = ClusterForecast(name, machine_type, rows(known.asked(asked, of.inventory), terms), terms, of.spot_share)
    return found, [*of.notes, *left_out]


def _same_work(found: Sequence[ClusterForecast]) -> None:
    """Raises Refusal where the series are of several problems, or none is of one problem at several rank counts."""
    problems = {str(row.asked.case.problem): row.asked.series for each in found for row in each.rows}
    if not problems:
        raise Refusal("the study has no strong series, whose work is the same at every number of ranks: give another")
    if len(problems) > 1:
        raise Refusal(f"series {' and '.join(sorted(set(problems.values())))} differ in their work: --series names one")
