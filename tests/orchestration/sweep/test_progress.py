import io
from dataclasses import replace

import pytest

from orchestration.experiments.convolution.experiment import Convolution
from orchestration.planning.plan import PlannedRun
from orchestration.sweep.progress import Lines, TimeLeft, result
from tests.runs import make_run
from workload.domain.problem import Problem

CONVOLUTION = Convolution()
RUN = make_run(Problem(8, 3, 3, 16, 16, 3), 4)
FIRST = PlannedRun(RUN, ("strong",), 10.0, 4, point="one", label="batch 8, scatter-gather, numpy")
AGAIN = replace(FIRST, run=replace(RUN, launch=1))
OTHER = replace(FIRST, run=replace(RUN, backend="naive"), point="other")
OK = {"outcome": "ok", "started_utc": "t", "repeats": [{"forward_s": s} for s in (3.0, 1.0, 2.0)], "reason": ""}
SKIPPED = {"outcome": "skipped", "started_utc": None, "repeats": [], "reason": "too large"}


def test_time_left_is_the_points_own_where_it_ran_else_the_mean():
    estimate = TimeLeft()
    assert estimate.left_s([AGAIN]) is None
    estimate.add(FIRST, 2.0)
    estimate.add(OTHER, 6.0)
    unseen = replace(FIRST, point="unseen")
    assert estimate.left_s([AGAIN]) == pytest.approx(2.0)
    assert estimate.left_s([AGAIN, unseen]) == pytest.approx(2.0 + 4.0)
    assert estimate.left_s([]) == 0


def test_result_says_the_median_or_why():
    assert result(OK, CONVOLUTION) == "ok, forward 2 s"
    assert result(SKIPPED, CONVOLUTION) == "skipped: too large"


def test_one_line_a_run():
    out, clock = io.StringIO(), iter([0.0, 5.0, 5.0, 5.0])
    lines = Lines(out, lambda: next(clock))
    with lines.shown([FIRST, AGAIN, OTHER], CONVOLUTION):
        lines.begin(FIRST)
        lines.end(FIRST, OK)
        lines.begin(AGAIN)
        lines.end(AGAIN, SKIPPED)
    first, second = out.getvalue().splitlines()
    assert first.startswith(
        "[1/3] strong: 4 ranks, batch 8, scatter-gather, numpy, launch 1: ok, forward 2 s (10 s left)"
    )
    assert second.startswith("[2/3]")
    assert second.endswith("skipped: too large (5 s left)")


def test_added_runs_count_and_the_worst_interval_stands_in_each_line():
    out, clock = io.StringIO(), iter([0.0, 5.0, 5.0, 7.0, 7.0, 9.0])
    lines = Lines(out, lambda: next(clock))
    with lines.shown([FIRST], CONVOLUTION):
        lines.begin(FIRST)
        lines.end(FIRST, OK)
        lines.looked("2 of 2 points do not lie within 5 %: 2 more runs", "worst ±9 %", [AGAIN, OTHER])
        lines.begin(AGAIN)
        lines.end(AGAIN, OK)
        lines.begin(OTHER)
        lines.end(OTHER, OK)
    first, looked, again, last = out.getvalue().splitlines()
    assert first.startswith("[1/1]")
    assert looked == "2 of 2 points do not lie within 5 %: 2 more runs"
    assert again.startswith("[2/3]")
    assert again.endswith("forward 2 s (4 s left, worst ±9 %)")
    assert last.startswith("[3/3]")
