"""The recorded sweeps give the same tables, samples and sentences as when they were recorded.

`measured/NAME.md` has the short tables and the sentences as text, `digests.json` the first digits of SHA-256 of
everything else. A change that is meant is taken over by `PYTHONPATH=. python tests/results/test_measured.py` from the
root.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from results.comparison import sweeps as comparison
from results.forecast.convolution.model import ForecastCase, forecast
from results.forecast.convolution.probe import parse
from results.records.sweep import RecordedSweep, read_sweep
from results.report import contents, summary, verdict
from results.report.exports import extra_p
from results.report.samples import samples_csv
from results.table import Table, csv_text, markdown
from results.tables.across import compare
from results.tables.sweep import probe
from workload.record.files import read_json

MEASURED = Path(__file__).parents[2] / "results" / "measured" / "16-core"
GOLDEN = Path(__file__).parent / "measured"
NAMES = ("paper-simd", "paper-naive", "movements", "movements-forecast")
LONGEST_ROWS = 20  # of a table that is kept as text


@cache
def sweep(name: str) -> RecordedSweep:
    return read_sweep(MEASURED / name)


def tables_of(name: str) -> Iterator[Table]:
    found = sweep(name)
    own = contents.of_sweep(found)
    for place in ("environment", "check", "machines", "failed"):
        yield from own[place]
    for series in found.series:
        yield from contents.of_series(found, series)
    for place in ("own", "audit", "foretold"):
        yield from own[place]
    yield from contents.console([found])


def tables_across() -> Iterator[Table]:
    yield from probe.tables(read_json(MEASURED / "probe.json"))
    yield from contents.of_all([sweep("movements"), sweep("movements-forecast")])
    for first, second in (("paper-simd", "paper-naive"), ("movements", "movements-forecast")):
        yield compare.table([sweep(first)], [sweep(second)], comparison.of([sweep(first)], [sweep(second)]))


def rounded(text: str) -> str:
    """Numbers to nine digits: the last ones depend on how a version of Python or scipy adds up."""
    return re.sub(r"\d+\.\d{9,}(e-?\d+)?", lambda match: f"{float(match[0]):.9g}", text)


def text_of(tables: Iterator[Table], sentences: list[str]) -> tuple[str, dict[str, str]]:
    """The text that is kept whole, and by file name what is kept by its digest."""
    texts, others = [], {}
    for count, table in enumerate(tables):
        if len(table.rows) > LONGEST_ROWS:
            others[f"{count} {table.name}.md"] = markdown(table)
        else:
            texts.append(markdown(table))
        others[f"{count} {table.name}.csv"] = rounded(csv_text(table))
    return "\n".join([*texts, *sentences]) + "\n", others


def made(name: str) -> tuple[str, dict[str, str]]:
    if name == "across":
        return text_of(tables_across(), [])
    found = sweep(name)
    text, others = text_of(tables_of(name), [*verdict.sentences(found), *summary.sentences(found)])
    others |= {file: document for series in found.series for file, document in extra_p(series).items()}
    return text, others | {"samples.csv": samples_csv([found])}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", [*NAMES, "across"])
def test_recorded_sweeps_give_the_same_text(name: str) -> None:
    text, others = made(name)
    assert text == (GOLDEN / f"{name}.md").read_text()
    assert {file: digest(found) for file, found in others.items()} == json.loads((GOLDEN / "digests.json").read_text())[
        name
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_record_is_read(name: str) -> None:
    assert not sweep(name).problems
    assert len(sweep(name).launches) == len(list((MEASURED / name / "records").glob("*.json"))) > 0


def test_the_ledger_has_a_forecast_of_every_recorded_run() -> None:
    """Its times are those of the model of then; the bytes that a movement moves are not a matter of models."""
    recorded = sweep("movements-forecast")
    kept = next(event["forecasts"] for event in recorded.events if event["event"] == "forecast")
    known = parse(read_json(MEASURED / "probe.json"), "probe.json")
    assert len(recorded.launches) == len(kept) > 0
    for run in (launch.run for launch in recorded.launches):
        case = ForecastCase(run.problem, run.grid, run.movement, run.backend, run.ranks_per_node, run.options)
        found = forecast(case, known)
        entry = kept[run.run_id]
        assert entry["phases_s"].keys() == found.phases_s.keys()
        assert entry["total_s"] >= entry["forward_s"] > 0
        assert found.moved_bytes == entry["moved_bytes"]


def main() -> None:
    digests = {}
    for name in (*NAMES, "across"):
        text, others = made(name)
        (GOLDEN / f"{name}.md").write_text(text)
        digests[name] = {file: digest(found) for file, found in others.items()}
    (GOLDEN / "digests.json").write_text(json.dumps(digests, indent=1) + "\n")


if __name__ == "__main__":
    main()
