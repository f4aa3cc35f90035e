"""The answer says no more than the intervals carry, and its numbers are those of the tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from results.records.sweep import RecordedSweep, read_sweep
from results.report import answer, summary, verdict
from results.report.title import title
from results.tables.series import scaling
from tests.results.conftest import ProgramSweep
from tests.results.report.test_verdict import IMAGE_S, losing
from workload.record.files import read_json, write_json
from workload.record.run import Run

MEASURED = Path(__file__).parents[3] / "results" / "measured" / "16-core"


def law(times: dict[int, float]) -> Any:
    def seconds(run: Run) -> float:
        return IMAGE_S * run.problem.batch * times[run.ranks]

    return seconds


def facts(sweep: RecordedSweep) -> dict[str, answer.Fact]:
    return {fact.name: fact for fact in answer.of_sweep(sweep).facts}


def test_a_line_that_grows_to_the_end_stops_above_it(maker: Any) -> None:
    maker.add_strong(change=losing("root", 0.3))
    found = answer.of_sweep(maker.read())
    assert found.sentence.startswith(
        "Throughput grows up to 4 ranks, the most that were measured without sharing a core"
    )
    assert "; what costs most at 4 ranks is the root's copying: 30% [30%, 30%] of the ranks' time" in found.sentence
    by_name = {fact.name: fact for fact in found.facts}
    assert by_name["Best rate"].value.endswith(" images/s")
    assert by_name["Scaling stops"].value == "above 4 ranks"
    assert by_name["What costs most"].value == "30% [30%, 30%] of the time"
    assert found.drawings[0] == "strong-strong-absolute-speedup"


def test_a_peak_is_said_with_the_counts_that_cannot_be_told_from_it(maker: Any) -> None:
    maker.add_strong(law=law({1: 1.0, 2: 0.6, 4: 0.9}))
    sweep = maker.read()
    told = answer.of_sweep(sweep).sentence
    assert told.startswith("Throughput grows up to 2 ranks, and no gain beyond can be claimed, of up to 4: ")
    fact = facts(sweep)["Scaling stops"]
    assert fact.value == "at 2 ranks [2, 2]"
    assert fact.note.endswith("times the rate of 2: more ranks are slower")
    assert "What stops it" in facts(sweep)


def test_no_gain_is_claimed_where_the_noise_hides_it(make_maker: Any) -> None:
    maker = make_maker("noisy", noise=1.5)
    maker.add_strong(counts=(1, 2))
    sweep = maker.read()
    assert answer.of_sweep(sweep).sentence.startswith("No gain from more than 1 rank can be claimed, of up to 2: ")
    fact = facts(sweep)["Scaling stops"]
    assert fact.value == "at 1 rank [1, 2 or more]"
    assert fact.note.endswith("no gain can be claimed")


@pytest.mark.parametrize("launches", [1, 2])
def test_few_launches_leave_open_where_scaling_stops(maker: Any, launches: int) -> None:
    maker.add_strong(launches=launches)
    sweep = maker.read()
    assert f"how far throughput grows is not certain ({launches} launch" in answer.of_sweep(sweep).sentence
    assert facts(sweep)["Scaling stops"].value == "not certain"
    assert "What stops it" not in facts(sweep)


def test_a_share_that_may_be_nothing_is_not_said_to_be_the_cause(maker: Any) -> None:
    for launch, lost in enumerate((0.05, 0.4, 0.02)):
        for ranks in (1, 2):
            maker.add("strong", ranks=ranks, launch=launch, change=losing("root", lost))
    assert "; what costs most at 2 ranks may be the root's copying: 16% [-" in answer.of_sweep(maker.read()).sentence


def test_the_serial_run_stands_beside_the_line(maker: Any) -> None:
    maker.add_strong()
    maker.add_strong(counts=(1,), movement="serial", law=lambda run: 0.5 * IMAGE_S * run.problem.batch)
    told = answer.of_sweep(maker.read()).sentence
    assert "times as fast as 1 rank, " in told
    assert "times as fast as the serial run" in told


def test_a_weak_line_has_its_efficiency(maker: Any) -> None:
    maker.add_weak()
    told = answer.of_sweep(maker.read()).sentence
    assert ", at an efficiency of 0.9" in told


def test_one_slot_shows_no_scaling(make_maker: Any) -> None:
    maker = make_maker("one", slots=1)
    maker.add_strong(counts=(1, 2))
    found = answer.of_sweep(maker.read())
    assert found.sentence.startswith(
        "One slot: there is no scaling to measure, and scatter-gather with numpy on 1 rank"
    )
    assert [fact.name for fact in found.facts] == ["Best rate"]
    assert found.drawings == ("strong-strong-time",)


def test_a_sweep_of_failures_has_nothing_to_say(maker: Any) -> None:
    maker.add("strong", ranks=1, outcome="crashed")
    assert answer.of_sweep(maker.read()) == answer.ReportAnswer(answer.NOTHING)


def test_the_fastest_movement_answers_for_the_recorded_sweep() -> None:
    told = answer.of_sweep(read_sweep(MEASURED / "movements")).sentence
    assert told.startswith(
        "Shared with simd reaches 3673 (3662 to 3684) images/s on 16 ranks, 6.49 (6.29 to 6.69) times"
    )
    assert "(2 launches a point)" in told


def test_several_sweeps_answer_by_the_largest_problem_that_they_share() -> None:
    sweeps = [read_sweep(MEASURED / name) for name in ("movements", "paper-simd")]
    found = answer.of_all(sweeps)
    assert found.sentence.startswith("At B = 40, movements has the shortest total time, 0.0222 (0.0222 to 0.0223) s by")
    assert found.sentence.endswith("paper-simd takes 11.0 (10.6 to 11.4) times that.")
    assert [fact.name for fact in found.facts] == ["movements", "paper-simd"]
    assert title(sweeps) == title(sweeps[:1]), "said once"


def test_sweeps_without_a_common_problem_stand_for_themselves(make_maker: Any) -> None:
    first, second = make_maker("first"), make_maker("second")
    first.add_strong(batch=8)
    second.add_strong(batch=16)
    assert "no problem in common" in answer.of_all([first.read(), second.read()]).sentence


def test_the_title_is_what_was_measured_and_where(maker: Any) -> None:
    def on_genoa(record: dict[str, Any]) -> None:
        record["machines"][0]["cpu_model"] = "AMD EPYC 9R14 96-Core Processor"

    maker.add_strong(change=on_genoa)
    assert title([maker.read()]) == ("3 x 3 convolution of 64 x 64 images, 3 to 3 channels, on AMD EPYC 9R14, 4 slots")


METRIC = {
    "name": "rate", "unit": "MLUP/s", "higher": True, "headline": True, "pattern": "r", "file": None, "json": None,
    "csv": None,
}  # fmt: skip


def test_a_program_answers_by_its_longest_problem_and_by_the_parts_of_its_time(tmp_path: Path) -> None:
    maker = ProgramSweep(tmp_path)
    for n, base_s in ((512, 1.0), (1024, 4.0)):
        for launch in range(3):
            for ranks, wall_s in ((1, base_s), (2, 0.6 * base_s), (4, 0.5 * base_s)):
                maker.add(ranks, wall_s * (1 + 0.01 * launch), launch=launch, parameters={"n": n}, definitions={"n": n},
                          crossed=("n",))  # fmt: skip
    sweep = maker.read()
    assert not sweep.problems
    found = answer.of_sweep(sweep)
    assert found.sentence.startswith("Speed grows up to 4 ranks")
    assert "n 1024 reaches 2.02 [" in found.sentence
    assert "times as fast as 1 rank; what costs most at 4 ranks is user time" in found.sentence
    assert "50% [49%, 51%] of the ranks' time" in found.sentence
    assert [fact.name for fact in found.facts] == ["Best wall time", "Scaling stops", "What costs most"]
    assert title([sweep]) == "./heat {n}, on Synthetic CPU, 8 slots"


def test_time_in_mpi_is_named_where_a_profile_tells_it(tmp_path: Path) -> None:
    maker = ProgramSweep(tmp_path)
    for launch in range(3):
        for ranks, wall_s, mpi_s in ((1, 1.0, 0.001), (2, 0.8, 0.3)):
            maker.add(ranks, wall_s * (1 + 0.01 * launch), mpi_s=mpi_s, launch=launch)
    told = answer.of_sweep(maker.read()).sentence
    assert "; what costs most at 2 ranks is time in MPI: 37% [" in told


def test_a_metric_of_which_more_is_better_is_told_as_it_is(tmp_path: Path) -> None:
    maker = ProgramSweep(tmp_path, METRIC)
    for launch in range(3):
        for ranks, value in ((1, 100.0), (2, 180.0)):
            maker.add(ranks, 1.0, value=value + launch, launch=launch)
    sweep = maker.read()
    found = answer.of_sweep(sweep)
    assert found.facts[0].value.startswith("181 [")
    assert found.facts[0].value.endswith("] MLUP/s")
    (series,) = sweep.series
    table = scaling.full(sweep, series)
    assert "rate (MLUP/s)" in table.columns
    assert not [column for column in table.columns if column.endswith("/s")]
    told = " ".join(summary.sentences(sweep))
    assert "Highest rate: 181 MLUP/s (rate 181 [" in told
    assert "runs/s" not in told + " ".join(verdict.sentences(sweep))


@pytest.mark.parametrize(
    ("slots", "words"),
    [
        ([1, 1, 1], "on lab, 3 nodes, Synthetic CPU, 1 slot each"),
        ([4, 2], "on lab, 2 nodes, Synthetic CPU"),
        ([], "on lab, Synthetic CPU"),
    ],
)
def test_the_title_of_several_nodes_counts_them(maker: Any, slots: list[int], words: str) -> None:
    maker.add_strong(counts=(1, 2))
    path = maker.finish() / "inventory.json"
    nodes = [{"name": f"node{index + 1}", "slots": count} for index, count in enumerate(slots)]
    write_json(path, {**read_json(path), "cluster": "lab", "nodes": nodes})
    assert title([read_sweep(maker.folder)]).endswith(f"channels, {words}")
