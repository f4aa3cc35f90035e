from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from results.comparison import sweeps
from results.comparison.sweeps import FASTER, SAME, SLOWER
from results.records.sweep import SweepError
from results.report import compare as comparing
from workload.record.run import Run

COUNTS = (1, 2, 4)


def at(factor: float) -> Callable[[Run], float]:
    return lambda run: factor * 0.01 * run.problem.batch / run.ranks


def make(make_maker: Any, name: str, factor: float = 1.0, seed: int = 1, **changes: Any) -> Any:
    maker = make_maker(name, seed=seed, noise=changes.pop("noise", 0.01))
    maker.add_strong(
        counts=changes.pop("counts", COUNTS), law=at(factor), launches=changes.pop("launches", 4), **changes
    )
    maker.finish()
    return maker


@pytest.mark.parametrize(("factor", "verdict"), [(0.8, FASTER), (1.25, SLOWER)])
def test_a_real_difference_is_claimed_with_its_size(make_maker: Any, factor: float, verdict: str) -> None:
    first, second = make(make_maker, "a"), make(make_maker, "b", factor, seed=2)
    found = sweeps.of([first.read()], [second.read()])
    assert [pair.verdict for pair in found.pairs] == [verdict] * len(COUNTS)
    assert found.verdict == verdict
    assert found.overall is not None
    assert found.overall.low <= factor <= found.overall.high
    made = comparing.make([first.folder], [second.folder])
    assert any(note.startswith(f"Verdict: B is {verdict} than A") for note in made.table.notes)
    assert made.problems == ()


@pytest.mark.thorough
def test_without_a_difference_none_is_claimed(make_maker: Any) -> None:
    claimed, within = 0, 0
    for seed in range(20):
        first = make(make_maker, f"a{seed}", seed=2 * seed, noise=0.03)
        second = make(make_maker, f"b{seed}", seed=2 * seed + 1, noise=0.03)
        found = sweeps.of([first.read()], [second.read()])
        claimed += any(pair.verdict != SAME for pair in found.pairs)
        within += found.verdict == SAME
    assert claimed <= 3
    assert within >= 17
    made = comparing.make([first.folder], [second.folder])
    assert any("no difference can be claimed" in note for note in made.table.notes)


def test_probabilities_are_welchs_with_holms_correction(stats: Any, make_maker: Any) -> None:
    first, second = make(make_maker, "a", noise=0.05), make(make_maker, "b", 1.05, seed=2, noise=0.05)
    found = sweeps.of([first.read()], [second.read()])
    import numpy as np

    raw = [
        stats.ttest_ind(np.log(pair.first[0].medians_s()), np.log(pair.second[0].medians_s()), equal_var=False).pvalue
        for pair in found.pairs
    ]
    order = np.argsort(raw)
    expected = np.minimum(1.0, np.maximum.accumulate(np.array(raw)[order] * [3, 2, 1]))
    assert [found.pairs[index].probability for index in order] == pytest.approx(list(expected))


def test_too_few_launches_claim_nothing(make_maker: Any) -> None:
    first, second = make(make_maker, "a", launches=2), make(make_maker, "b", 0.5, launches=2)
    found = sweeps.of([first.read()], [second.read()])
    assert {pair.verdict for pair in found.pairs} == {f"{SAME}: fewer than 3 launches"}
    assert found.overall is None


def test_points_of_one_sweep_alone_and_failed_ones_are_said(make_maker: Any) -> None:
    first, second = make(make_maker, "a"), make(make_maker, "b", counts=(1, 2, 8))
    second.add("strong", ranks=4, outcome="timeout")
    second.finish()
    found = sweeps.of([first.read()], [second.read()])
    assert found.alone == (0, 1)
    verdicts = {pair.first[0].run.ranks: pair.verdict for pair in found.pairs}
    assert verdicts[4] == f"{SAME}: its outcome is timeout"
    (note,) = [note for note in comparing.make([first.folder], [second.folder]).table.notes if "counterpart" in note]
    assert note.startswith("0 points of A and 1 point of B")


def test_nothing_in_common_is_said(make_maker: Any) -> None:
    first, second = make(make_maker, "a"), make(make_maker, "b", backend="naive")
    table = comparing.make([first.folder], [second.folder]).table
    assert table.rows == ()
    assert any("have no point in common" in note for note in table.notes)


def test_other_code_is_said(make_maker: Any) -> None:
    from workload.record.run import Workload

    first, second = make(make_maker, "a"), make(make_maker, "b", workload=Workload("convolution", "e" * 64))
    notes = comparing.make([first.folder], [second.folder]).table.notes
    assert any("two versions of the workload" in note for note in notes)


def test_a_sweep_against_itself_is_refused(make_maker: Any) -> None:
    first = make(make_maker, "a")
    with pytest.raises(SweepError, match="given twice"):
        comparing.make([first.folder], [first.folder])


def between(sigma: float, seed: int, factor: float = 1.0) -> Callable[[Run], float]:
    """A sweep that is slower or faster as a whole."""
    whole = random.Random(f"sweep {seed}").lognormvariate(0.0, sigma)  # noqa: S311  # noise, not secrets
    return lambda run: factor * whole * 0.01 * run.problem.batch / run.ranks


def side(make_maker: Any, name: str, count: int, *, sigma: float, seed: int, factor: float = 1.0) -> list[Any]:
    makers = []
    for index in range(count):
        maker = make_maker(f"{name}{index}", seed=1000 * seed + index, noise=0.02)
        maker.add_strong(counts=(1, 2), law=between(sigma, 1000 * seed + index, factor), launches=3)
        makers.append(maker.read())
    return makers


@pytest.mark.thorough
def test_sweeps_that_differ_as_wholes_are_no_difference_in_general(make_maker: Any) -> None:
    """With 2 % between and within sweeps, launches alone claimed one in three of five comparisons of the same."""
    lone, general = 0, 0
    for seed in range(12):
        first = side(make_maker, f"a{seed}", 3, sigma=0.02, seed=2 * seed)
        second = side(make_maker, f"b{seed}", 3, sigma=0.02, seed=2 * seed + 1)
        lone += sweeps.of(first[:1], second[:1]).verdict != SAME
        found = sweeps.of(first, second)
        assert found.in_general
        general += found.verdict != SAME
    assert lone >= 4, "the noise between sweeps is there"
    assert general <= 2


def test_one_sweep_a_side_speaks_of_these_sweeps_alone(make_maker: Any) -> None:
    first, second = make(make_maker, "a"), make(make_maker, "b", 0.8, seed=2)
    notes = comparing.make([first.folder], [second.folder]).table.notes
    assert any(note.startswith("Verdict: B is faster than A over all points of these sweeps") for note in notes)
    assert any(note.startswith("Holds between these two sweeps alone") for note in notes)


def test_a_real_difference_is_found_with_several_sweeps_a_side(make_maker: Any) -> None:
    first = side(make_maker, "a", 4, sigma=0.02, seed=1)
    second = side(make_maker, "b", 4, sigma=0.02, seed=2, factor=1.3)
    found = sweeps.of(first, second)
    assert found.verdict == SLOWER
    assert found.slower
    assert found.overall is not None
    assert found.overall.low <= 1.3 <= found.overall.high


@pytest.mark.parametrize(
    ("factor", "noise", "launches", "word"),
    [
        (1.0, 0.002, 4, "equivalent within 3 %"),
        (1.01, 0.002, 4, "equivalent within 3 %"),
        (1.0, 0.1, 4, "cannot tell"),
        (1.2, 0.002, 4, "slower"),
        (0.8, 0.002, 4, "faster"),
        (1.0, 0.002, 2, "cannot tell: fewer than 3 launches"),
    ],
)
def test_a_tolerance_has_four_answers(make_maker: Any, factor: float, noise: float, launches: int, word: str) -> None:
    first = make(make_maker, "a", noise=noise, launches=launches)
    second = make(make_maker, "b", factor, seed=2, noise=noise, launches=launches)
    made = comparing.make([first.folder], [second.folder], 0.03)
    assert {record["verdict"] for record in made.table.records} == {word}
    assert made.slower is (word == "slower")


def test_equivalence_is_claimed_wrongly_in_one_of_twenty_cases_at_most(make_maker: Any) -> None:
    """The true difference is the tolerance itself."""
    claimed = 0
    for seed in range(20):
        first = make(make_maker, f"a{seed}", seed=2 * seed, noise=0.01, counts=(1,))
        second = make(make_maker, f"b{seed}", 1.03, seed=2 * seed + 1, noise=0.01, counts=(1,))
        claimed += sweeps.of([first.read()], [second.read()], 0.03).pairs[0].verdict == sweeps.EQUIVALENT
    assert claimed <= 3


@pytest.mark.parametrize("tolerance", [0.0, 1.0, -0.1])
def test_a_tolerance_that_is_none_is_refused(make_maker: Any, tolerance: float) -> None:
    first, second = make(make_maker, "a"), make(make_maker, "b", seed=2)
    with pytest.raises(ValueError, match="not between 0 and 1"):
        sweeps.of([first.read()], [second.read()], tolerance)


def test_cores_of_different_speed_claim_nothing(make_maker: Any) -> None:
    def slow(record: dict[str, Any]) -> None:
        for repeat in record["repeats"]:
            repeat["ranks"][0]["yardstick_flops_per_s"] = [0.6e9, 0.6e9]

    first, second = make(make_maker, "a", counts=(1,)), make(make_maker, "b", 2.0, seed=2, counts=(1,))
    second.add("strong", ranks=1, launch=4, law=at(2.0), change=slow)
    second.finish()
    (pair,) = sweeps.of([first.read()], [second.read()]).pairs
    assert pair.verdict == f"{SAME}: its launches ran on cores of different speed"
    assert pair.ratio is not None
    assert pair.ratio.bounds == "range"
