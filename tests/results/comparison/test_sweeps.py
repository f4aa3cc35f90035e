from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from scipy import stats

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
    found = sweeps.of(first.read(), second.read())
    assert [pair.verdict for pair in found.pairs] == [verdict] * len(COUNTS)
    assert found.verdict == verdict
    assert found.overall is not None
    assert found.overall.low <= factor <= found.overall.high
    made = comparing.make(first.folder, second.folder)
    assert any(note.startswith(f"Verdict: B is {verdict} than A") for note in made.table.notes)
    assert made.problems == ()


def test_without_a_difference_none_is_claimed(make_maker: Any) -> None:
    claimed, within = 0, 0
    for seed in range(20):
        first = make(make_maker, f"a{seed}", seed=2 * seed, noise=0.03)
        second = make(make_maker, f"b{seed}", seed=2 * seed + 1, noise=0.03)
        found = sweeps.of(first.read(), second.read())
        claimed += any(pair.verdict != SAME for pair in found.pairs)
        within += found.verdict == SAME
    assert claimed <= 3
    assert within >= 17
    made = comparing.make(first.folder, second.folder)
    assert any("no difference can be claimed" in note for note in made.table.notes)


def test_probabilities_are_welchs_with_holms_correction(make_maker: Any) -> None:
    first, second = make(make_maker, "a", noise=0.05), make(make_maker, "b", 1.05, seed=2, noise=0.05)
    found = sweeps.of(first.read(), second.read())
    import numpy as np

    raw = [
        stats.ttest_ind(np.log(pair.first.medians_s()), np.log(pair.second.medians_s()), equal_var=False).pvalue
        for pair in found.pairs
    ]
    order = np.argsort(raw)
    expected = np.minimum(1.0, np.maximum.accumulate(np.array(raw)[order] * [3, 2, 1]))
    assert [found.pairs[index].probability for index in order] == pytest.approx(list(expected))


def test_too_few_launches_claim_nothing(make_maker: Any) -> None:
    first, second = make(make_maker, "a", launches=2), make(make_maker, "b", 0.5, launches=2)
    found = sweeps.of(first.read(), second.read())
    assert {pair.verdict for pair in found.pairs} == {f"{SAME}: fewer than 3 launches"}
    assert found.overall is None


def test_points_of_one_sweep_alone_and_failed_ones_are_said(make_maker: Any) -> None:
    first, second = make(make_maker, "a"), make(make_maker, "b", counts=(1, 2, 8))
    second.add("strong", ranks=4, outcome="timeout")
    second.finish()
    found = sweeps.of(first.read(), second.read())
    assert found.alone == (0, 1)
    verdicts = {pair.first.run.ranks: pair.verdict for pair in found.pairs}
    assert verdicts[4] == f"{SAME}: its outcome is timeout"
    (note,) = [note for note in comparing.make(first.folder, second.folder).table.notes if "counterpart" in note]
    assert note.startswith("0 points of A and 1 point of B")


def test_nothing_in_common_is_said(make_maker: Any) -> None:
    first, second = make(make_maker, "a"), make(make_maker, "b", backend="naive")
    table = comparing.make(first.folder, second.folder).table
    assert table.rows == ()
    assert any("have no point in common" in note for note in table.notes)


def test_other_code_is_said(make_maker: Any) -> None:
    from workload.record.run import Workload

    first, second = make(make_maker, "a"), make(make_maker, "b", workload=Workload("convolution", "e" * 64))
    notes = comparing.make(first.folder, second.folder).table.notes
    assert any("two versions of the workload" in note for note in notes)


def test_a_sweep_against_itself_is_refused(make_maker: Any) -> None:
    first = make(make_maker, "a")
    with pytest.raises(SweepError, match="given twice"):
        comparing.make(first.folder, first.folder)
