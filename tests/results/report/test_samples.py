from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from results.records.measurement import PARTS
from results.report.samples import samples_csv


def test_a_row_a_rank_repeat_and_phase_that_adds_up(full: Any) -> None:
    sweep = full.read()
    rows = list(csv.DictReader(io.StringIO(samples_csv([sweep]), newline="")))
    expected = sum(len(launch.repeats) * launch.run.ranks * len(PARTS) for launch in sweep.launches)
    assert len(rows) == expected
    keys = [(row["run_id"], row["repeat"], row["rank"], row["phase"]) for row in rows]
    assert len(keys) == len(set(keys))
    launch = next(launch for launch in sweep.launches if launch.run.ranks == 4 and launch.run.launch == 2)
    own = [row for row in rows if row["run_id"] == launch.run_id and row["repeat"] == "1" and row["rank"] == "3"]
    assert sum(float(row["time_s"]) for row in own) == pytest.approx(launch.repeats[1].ranks[3].app_s)
    head = {key: own[0][key] for key in ("sweep", "ranks", "movement", "backend", "launch", "sequence", "outcome")}
    assert head == {
        "sweep": "sweep", "ranks": "4", "movement": "scatter-gather", "backend": "numpy", "launch": "2",
        "sequence": str(launch.sequence), "outcome": "ok",
    }  # fmt: skip


def test_warm_ups_are_left_out(maker: Any) -> None:
    maker.add("strong")
    rows = list(csv.DictReader(io.StringIO(samples_csv([maker.read()]), newline="")))
    assert {row["repeat"] for row in rows} == {"0", "1", "2"}
