"""The check catches what it must, and never an honest run."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.marks import examples
from workload.convolve.tiles import convolve
from workload.data.checksum import UNBOUNDED, Checker, CheckResult, combine, worst
from workload.data.expectation import Expectation
from workload.data.images import Source, make_weights
from workload.domain.grid import AXES, Block, Grid, Span, axis_lengths, block_of, finisher, whole
from workload.domain.problem import Problem

SMALL = Problem(12, 3, 3, 40, 44, 3)


class Case:
    """A problem, its honest float32 output and a checker of all of it."""

    def __init__(self, problem: Problem, weights: str, blocks: list[Block] | None = None, smooth: bool = False) -> None:
        self.problem = problem
        self.blocks = blocks or [whole(problem)]
        self.source = Source(make_pool(problem, smooth))
        self.w = make_weights(weights, problem, 5)
        self.x = np.empty(problem.x_shape, np.float32)
        self.source(whole(problem), self.x)
        self.y = np.empty(problem.y_shape, np.float32)
        convolve(self.x, self.w, self.y)
        self.renew()

    def renew(self) -> None:
        expectation = Expectation(self.problem, self.w, self.source, 9)
        self.checker = Checker(expectation, expectation.rows(self.blocks))

    def verdict(self, y: np.ndarray) -> CheckResult:
        self.checker.begin()
        for block in self.blocks:
            self.checker(block, y[tuple(slice(span.start, span.stop) for span in block.y_spans)])
        return self.checker.finish()


def make_pool(problem: Problem, smooth: bool) -> np.ndarray:
    shape = (8, problem.in_channels, problem.height, problem.width)
    if not smooth:
        return np.random.default_rng(3).integers(1, 256, shape, dtype=np.uint8)
    n, c, h, w = np.indices(shape)
    return (128 + 100 * np.sin(h / (9 + n)) * np.cos(w / (7 + c))).astype(np.uint8)


@examples(80)
@given(st.data())
def test_an_honest_run_of_any_shape_and_cut_passes(data: st.DataObject) -> None:
    kernel = data.draw(st.integers(1, 5))
    size = st.integers(1, 9)
    problem = Problem(
        data.draw(size), data.draw(size), data.draw(size), kernel + data.draw(size), kernel + data.draw(size), kernel
    )
    lengths = axis_lengths(problem)
    grid = Grid(*(data.draw(st.integers(1, min(3, lengths[axis]))) for axis in AXES))
    ranks = [rank for rank in range(grid.ranks) if finisher(grid, rank) == rank]
    kinds = ["identity", "box-blur", "sharpen", "random"] + ["edges"] * (kernel > 1)
    case = Case(problem, data.draw(st.sampled_from(kinds)), [block_of(problem, grid, rank) for rank in ranks])
    verdict = case.verdict(case.y)
    assert verdict.passed
    assert verdict.worst_error_over_tolerance < 0.5
    assert verdict.rows == problem.y_elements // problem.out_width * grid.column


def damage_element(y: np.ndarray) -> None:
    y[3, 1, 20, 17] += 0.02 * np.abs(y).mean()


def exchange_images(y: np.ndarray) -> None:
    y[[2, 9]] = y[[9, 2]]


def exchange_rows(y: np.ndarray) -> None:
    y[4, 0, [10, 11]] = y[4, 0, [11, 10]]


def exchange_row_blocks(y: np.ndarray) -> None:
    half = y.shape[2] // 2
    y[5] = np.concatenate([y[5, :, half:], y[5, :, :half]], axis=1)


def exchange_channels(y: np.ndarray) -> None:
    y[7, [0, 2]] = y[7, [2, 0]]


def shift_plane_sideways(y: np.ndarray) -> None:
    y[6, 1] = np.roll(y[6, 1], 1, axis=1)


def shift_plane_down(y: np.ndarray) -> None:
    y[6, 1] = np.roll(y[6, 1], 1, axis=0)


def lose_an_element(y: np.ndarray) -> None:
    y[0, 0, 0, 0] = np.nan


def overflow(y: np.ndarray) -> None:
    y[0, 0, 0, 0] = np.inf


def zero_a_row(y: np.ndarray) -> None:
    y[11, 2, 37] = 0


DAMAGES = [
    damage_element,
    exchange_images,
    exchange_rows,
    exchange_row_blocks,
    exchange_channels,
    shift_plane_sideways,
    shift_plane_down,
    lose_an_element,
    overflow,
    zero_a_row,
]


@pytest.mark.parametrize("weights", ["random", "box-blur", "identity", "sharpen"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_caught(damage: Callable[[np.ndarray], None], weights: str) -> None:
    case = Case(SMALL, weights)
    y = case.y.copy()
    damage(y)
    verdict = case.verdict(y)
    assert not verdict.passed
    assert verdict.worst_error_over_tolerance > 1
    assert case.verdict(case.y).passed  # and the next honest repeat passes again


@pytest.mark.parametrize("weights", ["edges", "sharpen"])
def test_exchanges_are_caught_on_a_smooth_picture(weights: str) -> None:
    case = Case(SMALL, weights, smooth=True)
    assert case.verdict(case.y).passed
    for damage in (exchange_images, exchange_row_blocks, shift_plane_sideways, shift_plane_down):
        y = case.y.copy()
        damage(y)
        assert not case.verdict(y).passed, damage.__name__


@pytest.mark.parametrize("weights", ["random", "box-blur"])
def test_one_element_among_a_thousand_images(weights: str) -> None:
    """One element off by 2 % of the mean |y|, in 1,000 images of 3 x 64 x 64, wherever it lies."""
    case = Case(Problem(1000, 3, 3, 64, 64, 3), weights)
    assert case.verdict(case.y).passed
    generator = np.random.default_rng(11)
    off = np.float32(0.02 * np.abs(case.y).mean())
    for _ in range(5):
        place = tuple(generator.integers(0, size) for size in case.y.shape)
        kept = case.y[place]
        case.y[place] = kept + off * generator.choice([-1, 1])
        assert not case.verdict(case.y).passed, place
        case.y[place] = kept


@pytest.mark.parametrize(("batch", "ranks"), [(16, 2), (16, 4), (80, 8), (40, 4), (7, 2)])
@pytest.mark.parametrize("left_over", [0.0, np.nan])
def test_the_papers_program_is_caught(batch: int, ranks: int, left_over: float) -> None:
    """Each rank convolves floor(floor(B/N)/N) of its own images, then all fill their local output in place."""
    case = Case(Problem(batch, 3, 3, 20, 20, 3), "box-blur")
    local = batch // ranks
    done = local // ranks
    y = np.full_like(case.y, left_over)
    for receiver in range(ranks):
        for sender in range(ranks):
            part = slice(sender * done, (sender + 1) * done)
            y[receiver * local : (receiver + 1) * local][part] = case.y[sender * local : (sender + 1) * local][part]
    assert not case.verdict(y).passed


def test_a_missing_halo_row_is_caught() -> None:
    case = Case(SMALL, "random", [block_of(SMALL, Grid(row=2), rank) for rank in range(2)])
    x = case.x.copy()
    x[:, :, case.blocks[0].x_rows.stop - 1] = 0  # the last row of the first block's halo never came
    y = case.y.copy()
    wrong = np.empty_like(y)
    convolve(x, case.w, wrong)
    rows = slice(0, case.blocks[0].row.stop)
    y[:, :, rows] = wrong[:, :, rows]
    assert not case.verdict(y).passed


def test_a_block_handed_over_twice_or_never_is_caught() -> None:
    blocks = [block_of(SMALL, Grid(batch=3), rank) for rank in range(3)]
    case = Case(SMALL, "random", blocks)
    parts = [case.y[block.batch.start : block.batch.stop] for block in blocks]
    for order in ([0, 1], [0, 1, 2, 2]):
        case.checker.begin()
        for number in order:
            case.checker(blocks[number], parts[number])
        verdict = case.checker.finish()
        assert not verdict.complete
        assert not verdict.passed


def test_parts_of_an_announced_block_may_come_one_by_one() -> None:
    """As a streaming movement hands them to its sink."""
    case = Case(SMALL, "random")
    case.checker.begin()
    for image in range(SMALL.batch):
        for rows in (Span(0, 20), Span(20, SMALL.out_height)):
            full = whole(SMALL)
            block = Block(Span(image, image + 1), full.out_channel, rows, full.column, *all_sums(full))
            case.checker(block, case.y[image : image + 1, :, rows.start : rows.stop])
    assert case.checker.finish().passed


def all_sums(block: Block) -> tuple[Span, Span, Span]:
    return block.in_channel, block.tap_row, block.tap_column


def test_a_block_that_was_not_announced_is_refused() -> None:
    case = Case(SMALL, "random", [block_of(SMALL, Grid(batch=2), 0)])
    other = block_of(SMALL, Grid(batch=2), 1)
    with pytest.raises(ValueError, match="not announced"):
        case.checker(other, case.y[other.batch.start : other.batch.stop])
    with pytest.raises(ValueError, match="y has shape"):
        case.checker(case.blocks[0], case.y)


def test_zero_against_zero_is_right_and_an_error_beside_zero_tolerance_is_not() -> None:
    """A filter that is zero for one output channel."""
    problem = Problem(2, 2, 2, 8, 8, 3)
    case = Case(problem, "identity")
    case.w[1] = 0
    convolve(case.x, case.w, case.y)
    case.renew()
    assert case.verdict(case.y).passed
    case.y[0, 1, 3, 3] = 1e-30
    assert case.verdict(case.y).worst_error_over_tolerance == UNBOUNDED


def test_detectable_error_is_what_the_check_really_finds() -> None:
    case = Case(SMALL, "random")
    found = case.verdict(case.y).detectable_abs_error
    generator = np.random.default_rng(2)
    for _ in range(20):
        y = case.y.copy()
        y[tuple(generator.integers(0, size) for size in y.shape)] += np.float32(1.001 * found)
        assert not case.verdict(y).passed


def test_verdicts_combine_to_the_worst() -> None:
    good = CheckResult(10, 0.1, 1e-4, 3, 1e-7, spots_passed=True, complete=True)
    bad = CheckResult(5, 2.0, 1e-3, 2, 1e-6, spots_passed=True, complete=True)
    both = combine([good, bad])
    assert (both.rows, both.spots, both.worst_error_over_tolerance, both.passed) == (15, 5, 2.0, False)
    assert worst([good, bad]).rows == 5
    assert combine([good, CheckResult(0, 0, 0, 0, 0, spots_passed=True, complete=False)]).passed is False
