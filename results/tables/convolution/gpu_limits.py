"""What share of a GPU's limits each point of a series reached: link, copies in its memory, multiply-adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from results.audit import gpus
from results.audit.gpus import LimitShares
from results.estimates import Estimate, time_estimate
from results.formats import NONE, share, slug
from results.records.point import RecordedPoint
from results.records.sweep import RecordedSeries, RecordedSweep
from results.table import Column, Table, bounded, build, estimated
from results.tables import columns


@dataclass(frozen=True)
class LimitsRow:
    """A point on GPUs, with the shares of each of its launches; empty where no probe says what the limits are."""

    point: RecordedPoint
    launches: tuple[LimitShares, ...]

    def share(self, part: Callable[[LimitShares], float]) -> Estimate | None:
        """The share of all launches together."""
        found = [part(each) for each in self.launches]
        return time_estimate(found, self.point.confidence) if found else None


def tables(sweep: RecordedSweep, series: RecordedSeries) -> list[Table]:
    """One table, or none where nothing ran on a GPU."""
    rows = list(_rows(sweep, series))
    if not rows:
        return []
    found: list[Column[LimitsRow]] = [
        *columns.place([row.point for row in rows], detailed=True),
        estimated("Forward time (s)", "forward", lambda row: row.point.time(), unit="_s"),
        _share("Of the link", "link_share", lambda each: each.link),
        _share("Of the copy", "copy_share", lambda each: each.copy),
        _share("Of the multiply-adds", "flops_share", lambda each: each.flops),
        columns.run_ids(),
    ]
    notes = [
        "Of the link: what x and y take between host and GPU, both directions at once, over the forward time; of "
        "several GPUs the busiest.",
        "Of the copy and of the multiply-adds: what the kernel's bytes take in a copy within the GPU's memory, and its "
        "operations in multiply-adds from registers, over the kernel's time by the GPU's clock. What fits the GPU's "
        "cache may be faster than the copy, which does not.",
        "The limits are those that 'fab probe' measured before the sweep."
        if any(row.launches for row in rows)
        else "No limits are known: 'fab probe' measures them, for sweeps that begin after it.",
    ]
    title = f"Shares of the GPU's limits: {series.name}"
    return [build(title, found, rows, name=slug("gpu-limits", series.name), notes=notes)]


def _rows(sweep: RecordedSweep, series: RecordedSeries) -> Iterator[LimitsRow]:
    limits = gpus.probed(sweep)
    for point in series.points:
        launches = [launch for launch in point.timed if gpus.used(launch)]
        if launches:
            yield LimitsRow(point, tuple(gpus.shares(each, limits) for each in launches) if limits else ())


def _share(header: str, key: str, part: Callable[[LimitShares], float]) -> Column[LimitsRow]:
    def shown(row: LimitsRow) -> str:
        found = row.share(part)
        return NONE if found is None else share(found)

    return Column(header, shown, lambda row: bounded(key, "", row.share(part)))
