"""What a report shows, in the paper's order: environment, strong and weak scaling, memory, profile, checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from results.audit.sweep import audit_of
from results.comparison import buying
from results.figures import across
from results.figures import choice as choice_figures
from results.figures import series as scaling_figures
from results.figures.convolution import figures_of_series, figures_of_sweep, gpu_figures
from results.figures.drawing import Drawing
from results.forecast.bid import Choice, ChoiceLimits, amount
from results.records.price import PriceList
from results.records.sweep import STRONG, WEAK, RecordedSeries, RecordedSweep, SweepError
from results.report import answer
from results.table import Table
from results.tables import program
from results.tables.across import campaign as campaign_table
from results.tables.across import choice as choice_table
from results.tables.across import choices as choices_table
from results.tables.across import joint, versus
from results.tables.convolution import gpu_answers, gpu_tables, tables_of_series, tables_of_sweep
from results.tables.series import laws, memory, profile, scaling, share, spread
from results.tables.sweep import accuracy, audit, check, provenance
from workload.record.campaign import RecordedCampaign

MOST_DETAILED = 4  # problems whose bids have a table and figures of their own: each has two figures


def of_series(sweep: RecordedSweep, series: RecordedSeries) -> list[Table]:
    """All tables of a series, the scaling table first."""
    tables = [scaling.full(sweep, series), *tables_of_series(sweep, series)]
    tables += [*laws.tables(series), spread.table(series), memory.per_rank(series)]
    if program.is_program(series):
        return [*tables, *program.tables_of_series(series)]
    return [*tables, share.tables(series), profile.imbalance(series), profile.mpi(series), profile.calls(series)]


def in_paper(sweep: RecordedSweep, series: RecordedSeries) -> list[Table]:
    """The tables of a series that are too wide for a page, with the columns that a paper needs."""
    return [scaling.compact(sweep, series)]


def drawings_of_series(sweep: RecordedSweep, series: RecordedSeries) -> list[Drawing]:
    """All figures of a series. Needs matplotlib."""
    return [*scaling_figures.of_series(sweep, series), *figures_of_series(series)]


def of_sweep(sweep: RecordedSweep) -> dict[str, list[Table]]:
    """The tables that belong to no series, by their place on the page; `own` are the experiment's own."""
    return {
        "environment": [provenance.environment(sweep)],
        "check": [program.check_table(sweep) if program.is_program(sweep) else check.outcomes(sweep)],
        "machines": [provenance.machines(sweep)],
        "failed": [check.failed(sweep)],
        "own": tables_of_sweep(sweep),
        "audit": [audit.findings(audit_of(sweep))],
        "foretold": accuracy.tables(sweep),
    }


def of_gpus(sweep: RecordedSweep) -> tuple[list[Table], list[str]]:
    """GPUs beside the cores: the table, empty where no run was on a GPU, and the lines among its notes that answer."""
    return gpu_tables(sweep), gpu_answers(sweep)


def drawings_of_gpus(sweep: RecordedSweep) -> list[Drawing]:
    """How far GPUs are ahead of the cores. Needs matplotlib."""
    return gpu_figures(sweep)


def drawings_of_sweep(sweep: RecordedSweep) -> list[Drawing]:
    """The experiment's own figures across its series. Needs matplotlib."""
    return figures_of_sweep(sweep)


def of_all(sweeps: Sequence[RecordedSweep]) -> list[Table]:
    """The tables across sweeps; empty for a single one."""
    return [*versus.tables(sweeps), joint.side_by_side(sweeps)] if len(sweeps) > 1 else []


def drawings_of_all(sweeps: Sequence[RecordedSweep]) -> list[Drawing]:
    """The line that answers of each sweep, in one figure; none for a single sweep. Needs matplotlib."""
    found = [(sweep.name, headline[1]) for sweep in sweeps if (headline := answer.headline(sweep))]
    return across.of_lines(found) if len(found) > 1 else []


@dataclass(frozen=True)
class Buying:
    """What a choice of machines rests on beside the records: prices, and what a person asks of a run.

    `campaign`: whose sweeps they are, with the clusters that none is of.
    """

    prices: PriceList = field(default_factory=PriceList)
    limits: ChoiceLimits = field(default_factory=ChoiceLimits)
    campaign: RecordedCampaign | None = None

    @property
    def asked(self) -> bool:
        """Whether a person asks which machines to buy, rather than that several sweeps suggest it."""
        return self.limits.asked or bool(self.prices.stated)


def choices(sweeps: Sequence[RecordedSweep], terms: Buying) -> list[Choice]:
    """The ways to have the work done, of each problem that the sweeps share; of one sweep where anything is asked for.

    Empty where nothing is asked for and nothing has a price, or the sweeps share no work. Raises SweepError where what
    is asked for can be about nothing.
    """
    clusters = {str(sweep.inventory.get("cluster", "")) for sweep in sweeps}
    if unknown := sorted(terms.prices.stated.keys() - clusters):
        raise SweepError(
            f"--price {unknown[0]}: no sweep here is of that cluster, but of {', '.join(sorted(clusters))}"
        )
    if len(sweeps) < 2 and not terms.asked and terms.campaign is None:
        return []
    found = buying.choices(sweeps, terms.prices)
    if not found and terms.asked:
        raise SweepError(
            "no work that two of the sweeps tried, or the one, is ok in any: nothing can be bought by them"
        )
    priced = any(amount(bid) or amount(bid, spot=True) for each in found for bid in each.bids)
    if not (priced or terms.asked or terms.campaign):
        return []
    if len(found) == 1:
        return [replace(found[0], stopped=(*found[0].stopped, *_stopped(terms)))]
    return found


def detailed(found: Sequence[Choice]) -> Sequence[Choice]:
    """Those that have a table and figures of their own."""
    return found[:MOST_DETAILED]


def overview_of_choices(found: Sequence[Choice], terms: Buying) -> list[Table]:
    """The answers for all problems in one table, where there are several; it says which have more."""
    if len(found) < 2:
        return []
    return [choices_table.table(found, terms.limits, len(detailed(found)), _stopped(terms))]


def of_campaign(terms: Buying) -> list[Table]:
    """What a campaign spent on what."""
    return [] if terms.campaign is None else [campaign_table.table(terms.campaign)]


def to_buy(found: Sequence[Choice], terms: Buying) -> list[Table]:
    """All tables on which machines to buy, for a terminal."""
    each = [choice_table.table(choice, terms.limits) for choice in detailed(found)]
    return [*overview_of_choices(found, terms), *each, *of_campaign(terms)]


def of_choice(found: Choice, terms: Buying) -> Table:
    """The bids; the notes have the answers."""
    return choice_table.table(found, terms.limits)


def answers_of_choice(found: Choice, terms: Buying) -> list[str]:
    """The lines among the table's notes that answer."""
    return choice_table.answers(found, terms.limits)


def drawings_of_choice(found: Choice, terms: Buying) -> list[Drawing]:
    """Time against cost. Needs matplotlib."""
    return choice_figures.drawings(found, terms.limits)


def _stopped(terms: Buying) -> list[str]:
    return [] if terms.campaign is None else [*campaign_table.stopped(terms.campaign)]


def console(sweeps: Sequence[RecordedSweep]) -> list[Table]:
    """The strong and weak tables of all sweeps, narrow enough for a terminal."""
    return [
        scaling.compact(sweep, series)
        for sweep in sweeps
        for series in sweep.series
        if series.scaling in (STRONG, WEAK)
    ]
