from __future__ import annotations

from typing import Any

from results.report.summary import sentences
from results.scaling.speedup import relative_speedup


def test_the_summary_says_what_ran_and_what_it_showed(full: Any) -> None:
    full.planned("f" * 16)
    sweep = full.read()
    text = "\n".join(sentences(sweep))
    ok = sum(launch.ok for launch in sweep.launches)
    assert f"{ok + 2} runs: {ok} ok, 1 out of memory, 1 skipped. 1 planned run left no record." in text
    assert "Highest rate" in text
    assert "Strong scaling (strong), scatter-gather with numpy on 4 ranks, B = 16" in text
    assert "oversubscribed, B" not in text, "no headline shares a core"
    best = next(point for point in sweep.points if point.run.ranks == 4 and point.timed)
    ratio = relative_speedup(best, sweep.points).estimate
    assert ratio is not None
    assert f"relative speedup {ratio.value:.2f}" in text
    assert "Weak scaling (weak), scatter-gather with numpy on 4 ranks, B = 16: efficiency" in text
    assert "every answer was right" in text
    assert "An error above 0.000250" in text
    assert "Binding policy of all runs: none." in text
    assert "Marked oversubscribed" in text


def test_a_wrong_answer_is_said(maker: Any) -> None:
    maker.add("strong", outcome="wrong_answer", change=lambda record: record["check"].update(passed=False))
    text = "\n".join(sentences(maker.read()))
    assert "1 run gave a wrong answer" in text
    assert "No run is ok" in text


def test_replays_do_not_count_against_the_check(maker: Any) -> None:
    maker.add("strong", ranks=2)
    wrong = lambda record: record["check"].update(passed=False, worst_error_over_tolerance=1e308)  # noqa: E731
    maker.add("strong", ranks=2, movement="replica", outcome="wrong_answer", change=wrong)
    text = "\n".join(sentences(maker.read()))
    assert "every answer was right" in text
    assert "1 replay gave a wrong answer, as planned." in text


def test_a_sweep_without_records_says_so(maker: Any) -> None:
    (maker.folder / "records").mkdir(parents=True)
    assert sentences(maker.read()) == [
        "0 runs: none recorded.",
        "No run is ok: there is no time to report.",
        "No answer was checked.",
    ]
