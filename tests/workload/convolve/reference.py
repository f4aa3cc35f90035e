"""What every backend must equal, and the cases it is tried on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

UNIT_ROUNDOFF = 2.0**-24

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


def eq1(x: Float32, w: Float32) -> Float64:
    """Eq. 1 in float64: tap by tap, each a product of channels."""
    rows, columns = x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1
    y = np.zeros((x.shape[0], w.shape[0], rows, columns))
    for i, j in np.ndindex(w.shape[2], w.shape[3]):
        window = x[:, :, i : i + rows, j : j + columns].astype(np.float64)
        y += np.einsum("bchw,oc->bohw", window, w[:, :, i, j].astype(np.float64))
    return y


def rounding_bound(x: Float32, w: Float32) -> Float64:
    """Largest error of a float32 sum of these products in any order, elementwise.

    n products and their sum round at most n times each on the way: gamma_n sum |x||w|
    (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1), and one more for spare.
    """
    rounded = (w[0].size + 1) * UNIT_ROUNDOFF
    return rounded / (1 - rounded) * eq1(np.abs(x), np.abs(w))


def filled(shape: tuple[int, ...], value: float) -> Float32:
    return np.full(shape, value, np.float32)


@dataclass(frozen=True)
class Layout:
    """How an array of four axes lies in memory: order of its first three axes, gaps and direction along each."""

    order: tuple[int, int, int] = (0, 1, 2)
    gaps: tuple[int, int, int, int] = (0, 0, 0, 0)  # elements beyond its own along each axis, before and after
    steps: tuple[int, int, int] = (1, 1, 1)

    def view(
        self, shape: tuple[int, ...], fill: float, allocate: Callable[[tuple[int, ...], float], Float32] = filled
    ) -> tuple[Float32, Float32]:
        """An array of that shape, and the whole buffer it is a view of, filled."""
        extents = [shape[axis] * abs(self.steps[axis]) + 2 * self.gaps[axis] for axis in self.order]
        buffer = allocate((*extents, shape[3] + 2 * self.gaps[3]), fill)
        array = buffer.transpose(*np.argsort(self.order), 3)
        for axis, (size, gap) in enumerate(zip(shape, self.gaps, strict=True)):
            step = self.steps[axis] if axis < 3 else 1
            kept = np.arange(gap, gap + size * abs(step), abs(step))
            index: list[slice] = [slice(None)] * 4
            index[axis] = slice(kept[0], kept[-1] + 1, abs(step))
            array = array[tuple(index)]
            if step < 0:
                index[axis] = slice(None, None, -1)
                array = array[tuple(index)]
        return array, buffer


@dataclass(frozen=True)
class Case:
    """One convolution to try: shapes, layouts of x and y, and the seed of its values."""

    x_shape: tuple[int, int, int, int]
    w_shape: tuple[int, int, int, int]
    x_layout: Layout = Layout()
    y_layout: Layout = Layout()
    seed: int = 0

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        rows, columns = self.x_shape[2] - self.w_shape[2] + 1, self.x_shape[3] - self.w_shape[3] + 1
        return (self.x_shape[0], self.w_shape[0], rows, columns)

    def operands(self) -> tuple[Float32, Float32]:
        """x in its layout, NaN in its gaps, and w."""
        rng = np.random.default_rng(self.seed)
        x, _ = self.x_layout.view(self.x_shape, np.nan)
        x[...] = rng.standard_normal(self.x_shape)
        return x, rng.standard_normal(self.w_shape).astype(np.float32)


layouts = st.builds(
    Layout,
    order=st.permutations([0, 1, 2]).map(tuple),
    gaps=st.tuples(*[st.integers(0, 2)] * 3, st.integers(0, 5)),
    steps=st.tuples(*[st.sampled_from([1, 1, 2, -1, -2])] * 3),
)


@st.composite
def cases(draw: st.DrawFn, largest: int = 70) -> Case:
    """Small convolutions of every kind: K = 1, K = H, KH != KW, 1 to 64 channels, narrow and wide, any strides."""
    channels = st.one_of(st.integers(1, 9), st.sampled_from([1, 3, 16, 17, 64]))
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, largest))
    tap_rows = draw(st.one_of(st.just(1), st.just(height), st.integers(1, min(height, 7))))
    tap_columns = draw(st.one_of(st.just(1), st.just(width), st.integers(1, min(width, 7))))
    batch, in_channels, out_channels = draw(st.integers(1, 3)), draw(channels), draw(channels)
    return Case(
        (batch, in_channels, height, width),
        (out_channels, in_channels, tap_rows, tap_columns),
        draw(layouts),
        draw(layouts),
        draw(st.integers(0, 2**32 - 1)),
    )
