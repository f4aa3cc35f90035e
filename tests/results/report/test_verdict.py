from __future__ import annotations

from typing import Any

import pytest

from results.report import verdict
from results.report.convolution import advice
from workload.record.run import Run
from workload.record.schema import PHASES

IMAGE_S = 0.004


def losing(part: str, share: float) -> Any:
    """Changes a record of several ranks so that `part` takes `share` of every rank's forward time, convolve the rest.

    Convolve takes as long in all as on one rank.
    """

    def change(record: dict[str, Any]) -> None:
        ranks = record["run"]["ranks"]
        work_s = IMAGE_S * record["run"]["problem"]["batch"] / ranks
        forward_s = work_s / (1.0 - share) if ranks > 1 else work_s
        for repeat in record["repeats"]:
            repeat |= {"total_s": 1.1 * forward_s, "forward_s": forward_s, "convolve_s": work_s}
            for rank in repeat["ranks"]:
                rank["phases_s"] = dict.fromkeys(PHASES, 0.0) | {"load": 0.1 * forward_s, "convolve": work_s}
                rank |= {"app_s": 1.1 * forward_s, "wait_s": 0.0, "mpi_s": 0.0, "cpu_s": forward_s}
                rank["convolve_cpu_s"] = forward_s if part == advice.SLOWED else work_s
                if ranks > 1 and part == "wait":
                    rank["wait_s"] = forward_s - work_s
                elif ranks > 1:
                    name = "distribute" if part == "root" else part.partition(",")[0]
                    rank["phases_s"][name] += forward_s - work_s

    return change


def paragraph(maker: Any, part: str, share: float, counts: tuple[int, ...] = (1, 2, 4)) -> str:
    movement = "scatter-gather" if part in ("root", "wait") else "distributed"
    on_gpu = {"movement": "device", "backend": "cuda"} if part == advice.ON_GPU else {}
    maker.add_strong(counts=counts, change=losing(part, share), **{"movement": movement, **on_gpu})
    told, resolves = verdict.sentences(maker.read())
    assert resolves.startswith("Of two points a difference of ")
    assert verdict.FINER not in resolves, "a quiet machine"
    return told


@pytest.mark.parametrize("part", [part for part in advice.CAUSES if part not in ("load", "save")])
def test_the_part_that_grew_most_is_what_stops_it(maker: Any, part: str) -> None:
    told = paragraph(maker, part, 0.3)
    assert advice.CAUSES[part] in told
    assert ": 30% [30%, 30%] of the ranks' time" in told
    larger = "give each rank more work: a larger batch"
    step = {"wait": advice.EQUAL_STEP, "distribute": larger, "collect": larger}.get(part, advice.STEPS[part])
    assert f"Next: {step}." in told


@pytest.mark.parametrize(
    ("options", "step"), [({}, advice.OVERLAP_STEP), ({"chunk_bytes": 2**20}, advice.STEPS[advice.ON_GPU])]
)
def test_copies_to_a_gpu_are_not_the_roots(maker: Any, options: dict[str, int], step: str) -> None:
    gpu = {"movement": "device", "backend": "cuda", "options": options}
    maker.add_strong(change=losing("distribute", 0.3), **gpu)
    told = verdict.sentences(maker.read())[0]
    assert advice.CAUSES[advice.DISTRIBUTE] in told
    assert "root" not in told
    assert f"Next: {step}." in told


def test_the_roots_copying_is_told_with_its_bytes_and_what_other_movements_take(maker: Any) -> None:
    maker.add_strong(change=losing("root", 0.3))
    maker.add_strong(movement="shared", change=losing("root", 0.0))
    told = next(line for line in verdict.sentences(maker.read()) if "scatter-gather" in line.partition(":")[0])
    assert "the root's copying: 30% [30%, 30%] of the ranks' time (distribute 30%)." in told
    assert "0.590 MB (in 0.00686 s, 0.0860 GB/s) of input leave the root" in told
    assert "With the same work and as many ranks, by forward time, shared 0.0160 s, against 0.0229 s here." in told


def streaming(part: str, share: float) -> Any:
    """The same for a movement that streams: its forward time is its total, and its load is nothing."""
    lose = losing(part, share)

    def change(record: dict[str, Any]) -> None:
        lose(record)
        for repeat in record["repeats"]:
            repeat |= {"total_s": repeat["forward_s"], "streamed": True}
            for rank in repeat["ranks"]:
                rank["app_s"] = repeat["forward_s"]
                rank["phases_s"]["load"] = 0.0

    return change


def test_in_a_window_ranks_wait_for_input_that_nobody_sends(maker: Any) -> None:
    window = {"movement": "pipeline", "options": {"in_window": True}}
    maker.add_strong(change=streaming("distribute", 0.3), **window)
    maker.add_strong(change=streaming("distribute", 0.6), movement="pipeline")
    told = {line.partition(":")[0]: line for line in verdict.sentences(maker.read())}
    here = next(line for name, line in told.items() if "in window" in name)
    assert "making the input: 30% [30%, 30%] of the ranks' time" in here
    assert f"Next: {advice.STEPS['load']}." in here
    assert "root's copying" not in here
    plain = next(line for name, line in told.items() if "pipeline with" in name)
    assert "the root's copying: 60% [60%, 60%]" in plain
    assert "by total time, pipeline (in_window) 0.0229 s, against 0.0400 s here." in plain


def test_in_windows_the_root_sends_to_other_nodes(maker: Any) -> None:
    spread = {"movement": "pipeline", "options": {"in_window": True, "group_ranks": 2}}
    maker.add_strong(change=streaming("distribute", 0.3), **spread)
    told, _ = verdict.sentences(maker.read())
    assert "the root's copying: 30%" in told
    assert "0.393 MB (in" in told, "x of two ranks"


def test_one_launch_or_two_carry_no_verdict(make_maker: Any) -> None:
    for launches in (1, 2):
        maker = make_maker(f"few{launches}")
        maker.add_strong(launches=launches)
        told, resolves = verdict.sentences(maker.read())
        assert "no difference is certain, an interval takes 3 launches" in told
        assert "which carries no verdict" in told
        assert "at least 50%" not in told
        assert resolves.startswith("No point has the 3 launches")


def test_causes_that_one_launch_cannot_tell_apart_are_both_named(maker: Any) -> None:
    maker.add_strong(launches=1)
    told, _ = verdict.sentences(maker.read())
    assert "; or the root's copying" in told or "; or the convolution" in told
    assert "one launch does not tell which of the two is larger" in told


def test_ranks_with_unequal_parts_are_told_to_cut_them_equal(maker: Any) -> None:
    told = paragraph(maker, "wait", 0.3, (1, 2, 3))
    assert f"Next: {advice.STEPS['wait']}." in told


def test_what_noise_hides_is_not_claimed(make_maker: Any) -> None:
    maker = make_maker("noisy", noise=1.5)
    maker.add_strong(counts=(1, 2))
    told, resolves = verdict.sentences(maker.read())
    assert resolves.endswith(verdict.FINER)
    assert "and no difference between the two can be claimed" in told
    assert "cannot be told from the noise" in told
    assert "Efficiency is at least" not in told
    assert "Efficiency is below" not in told


def test_without_launches_enough_no_difference_is_resolved(maker: Any) -> None:
    maker.add_strong(counts=(1, 2), launches=2)
    assert verdict.sentences(maker.read())[-1].startswith("No point has the 3 launches")


def test_where_nothing_is_lost_nothing_stops_it(maker: Any) -> None:
    told = paragraph(maker, "collect", 0.0)
    assert "Nothing that was measured stops it" in told
    assert "throughput is highest at the largest count" in told
    assert "Efficiency is at least 50% up to 4 ranks" in told


def test_a_peak_below_the_largest_count_is_said(maker: Any) -> None:
    def law(run: Run) -> float:
        return IMAGE_S * run.problem.batch * {1: 1.0, 2: 0.6, 4: 0.9}[run.ranks]

    maker.add_strong(law=law)
    told, _ = verdict.sentences(maker.read())
    assert "throughput is highest with 421 images/s at 2 ranks." in told
    assert "Efficiency is at least 50% up to 2 ranks" in told


def test_a_weak_series_is_measured_against_its_own_work(maker: Any) -> None:
    for launch in range(3):
        for ranks in (1, 2, 4):
            maker.add("weak", "weak", ranks=ranks, batch=4 * ranks, launch=launch, change=losing("distribute", 0.4))
    told, _ = verdict.sentences(maker.read())
    assert told.startswith("Weak scaling, scatter-gather with numpy (weak):")
    assert ": 40% [40%, 40%] of the ranks' time" in told


def test_one_rank_count_has_no_verdict(maker: Any) -> None:
    maker.add_strong(counts=(1,))
    assert verdict.sentences(maker.read()) == []


def test_without_a_one_rank_point_no_efficiency_is_told(maker: Any) -> None:
    maker.add_strong(counts=(2, 4))
    told, _ = verdict.sentences(maker.read())
    assert "There is no one-rank point" in told
    assert "What stops it" not in told
