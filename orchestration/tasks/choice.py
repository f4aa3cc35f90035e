"""`fab forecast --clusters`: several clusters by what is forecast of them for the same work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from infra.durations import duration_s
from orchestration.errors import Refusal
from orchestration.tasks import known
from orchestration.tasks.arguments import positive_amount, several_clusters
from orchestration.tasks.common import ROOT, RUNS, known_clusters, utc_now
from workload.record.schema import SchemaError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.experiments.experiment import Experiment
    from orchestration.forecast.program import Place
    from orchestration.planning.study import LoadedStudy, Overrides
    from results.forecast.bid import Choice, ChoiceLimits
    from results.forecast.choice import ClusterForecast
    from results.table import Table

Found = TypeVar("Found")
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
    notes: Sequence[str]
    limits: ChoiceLimits

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

    if not question.clusters:
        raise Refusal("--deadline and --budget-per-run compare clusters: give --clusters, as c3-highcpu-22x4,light")
    names, limits = several_clusters(question.clusters), limits_of(question.deadline, question.budget_per_run)
    experiment, loaded = load(question.study or ("" if overrides.values.get("command") else "quick"), overrides)
    if experiment.forebears(loaded) is not None:
        return MadeChoice(*_of_program(experiment, loaded, names, question), limits=limits)
    notes: dict[str, None] = {}  # in their order, each once

    def forecast(name: str) -> ClusterForecast:
        each, lines = _of_cluster(name, loaded, question)
        notes.update(dict.fromkeys(lines))
        return each

    found, told = _each(names, forecast)
    _same_work(found)
    return MadeChoice(choice(found), [*notes, *told], limits)


def _each(names: Sequence[str], forecast: Callable[[str], Found]) -> tuple[list[Found], list[str]]:
    """The forecast of each cluster that has one, and a line for each reason why others have none.

    Raises Refusal where none has.
    """
    from results.forecast.convolution.probe import ForecastError

    found: list[Found] = []
    left_out: dict[str, list[str]] = {}  # by the reason
    for name in names:
        try:
            found.append(forecast(name))
        except (Refusal, ForecastError, SchemaError) as error:
            left_out.setdefault(str(error), []).append(name)
    told = [f"left out {', '.join(who)}: {why}" for why, who in left_out.items()]
    if not found:
        raise Refusal("; ".join(told))
    return found, told


def _of_program(
    experiment: Experiment, loaded: LoadedStudy, names: Sequence[str], question: Question
) -> tuple[Choice, list[str]]:
    """The choice for a person's program, and what it rests on. Raises Refusal."""
    from orchestration.forecast import program
    from orchestration.forecast.convolution.points import counts
    from orchestration.forecast.prices import price_list
    from orchestration.paths import RunsFolder
    from orchestration.planning import code_version
    from results.forecast.choice import program_choice

    wanted = program.WantedProgram(
        experiment, loaded, RunsFolder(RUNS), code_version.describe(ROOT), price_list(ROOT), question.extrapolate
    )
    asked = counts(question.ranks) if question.ranks else ()
    found, told = _each(names, lambda name: program.of_cluster(wanted, _place(name), asked))
    first = found[0]
    if len({each.problem for each in found}) > 1:
        raise Refusal("the clusters' runs differ in their work: give each parameter one value that no cluster changes")
    currencies = dict.fromkeys(each.currency for each in found if each.currency)
    if len(currencies) > 1:
        raise Refusal(
            f"the clusters are priced in {' and '.join(currencies)}, which are not compared: name those of one"
        )
    made = program_choice([each.bids for each in found], first.what, next(iter(currencies), None))
    return made, [*(each.note for each in found), *told]


def _place(name: str) -> Place:
    """What is known of a cluster that need not be up. Raises Refusal."""
    from orchestration.clusters.provider import DescribedNodes
    from orchestration.forecast.program import Place

    clusters = known_clusters()
    owner = clusters.provider(name)
    nodes = owner.described(name, ROOT)
    if nodes is None:
        with suppress(Refusal):  # of one that is not up, its earlier sweeps know the nodes
            found = owner.find(name, ROOT, utc_now())
            if found.machine_type:
                nodes = DescribedNodes(found.machine_type, len(found.nodes), found.nodes[0].slots)
    return Place(name, clusters.name_of(name, utc_now()), nodes)


def limits_of(deadline_text: str, budget_text: str) -> ChoiceLimits:
    """What --deadline and --budget-per-run say. Raises Refusal."""
    from results.forecast.bid import ChoiceLimits

    deadline = duration_s(deadline_text) if deadline_text else None
    if deadline_text and not deadline:
        raise Refusal(f"--deadline {deadline_text!r} is no duration: give for example --deadline 2h, 90s or 30m")
    return ChoiceLimits(deadline, positive_amount("--budget-per-run", budget_text))


def _of_cluster(name: str, loaded: LoadedStudy, question: Question) -> tuple[ClusterForecast, Sequence[str]]:
    """The forecasts of a cluster at rank counts up to its slots. Raises Refusal, ForecastError, SchemaError."""
    from orchestration.forecast.convolution.points import counts, points
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
