"""Exports for other tools: Extra-P's JSON for each line of a series, and all samples as Parquet."""

from __future__ import annotations

import io
import json
import statistics
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from results.formats import slug
from results.records.launch import RecordedLaunch
from results.records.sweep import RecordedSeries, RecordedSweep
from results.report.samples import DEVICE, columns, rows
from results.scaling.line import lines

INTEGERS = ("ranks", "launch", "sequence", "repeat", "rank")
SECONDS = ("time_s", DEVICE)


def extra_p(series: RecordedSeries) -> dict[str, str]:
    """Documents by file name, one per line: medians of the launches by each clock, and of each phase's longest rank.

    The format is Extra-P's newer JSON (extra-p/extrap, docs/file-formats.md) with one parameter, the rank count. Points
    that are not ok or share cores are left out, as in our fits.
    """
    found, clocks = {}, series.experiment.clocks
    for line in lines(series):
        if not line.fitted:
            continue
        names = {clock: line.experiment.clock_word(clock) for clock in clocks}
        parts = {part: f"{line.experiment.clock_word('total_s')}->{part}" for part in line.experiment.parts}
        callpaths: dict[str, Any] = {name: {"time": []} for name in names.values()}
        callpaths |= {path: {"time": []} for path in parts.values()}
        for point in line.fitted:
            place = [point.run.ranks]
            for clock in clocks:
                callpaths[names[clock]]["time"].append({"point": place, "values": point.medians_s(clock)})
            for part, path in parts.items():
                values = [_longest_s(launch, part) for launch in point.counting]
                callpaths[path]["time"].append({"point": place, "values": values})
        name = slug(series.scaling, series.name, *line.variant.names.values())
        found[f"{name}.extrap.json"] = (
            json.dumps({"parameters": ["ranks"], "measurements": callpaths}, indent=1, allow_nan=False) + "\n"
        )
    return found


def _longest_s(launch: RecordedLaunch, part: str) -> float:
    """The longest of the ranks' median seconds of a part."""
    by_rank: dict[int, list[float]] = {}
    for repeat in launch.repeats:
        for rank in repeat.ranks:
            by_rank.setdefault(rank.rank, []).append(rank.parts_s[part])
    return max(statistics.median(times) for times in by_rank.values())


def has_parquet() -> bool:
    """Whether Parquet can be written. pyarrow (150 MB) is optional, since samples.csv has the same data."""
    return find_spec("pyarrow") is not None


def parquet(sweeps: Sequence[RecordedSweep]) -> bytes:
    """The rows of samples.csv as a typed Parquet file. Raises ImportError without pyarrow."""
    import pyarrow as arrow
    from pyarrow import parquet as files

    names = columns(sweeps)
    found = list(zip(*rows(sweeps), strict=True)) or [()] * len(names)
    values: dict[str, list[Any]] = {name: list(column) for name, column in zip(names, found, strict=True)}
    sizes = {sweep.experiment.size_key for sweep in sweeps}
    whole = {name for name in sizes if all(value is None or isinstance(value, int) for value in values[name])}
    integers = {*INTEGERS, *whole}
    for name in sizes - whole:  # the sizes of another experiment may be words
        values[name] = [value if value is None else str(value) for value in values[name]]
    kinds = {name: arrow.int64() if name in integers else arrow.string() for name in names}
    kinds |= {name: arrow.float64() for name in SECONDS if name in names}
    schema = arrow.schema([(name, kinds[name]) for name in names])
    target = io.BytesIO()
    files.write_table(arrow.table(values, schema=schema), target)
    return target.getvalue()
