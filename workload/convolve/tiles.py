"""Backend `numpy`: the convolution by tiles of rows, with few large numpy calls for each tile.

A tile stacks, for every channel and kernel row, the rows of x that its output rows read (im2col along kernel rows
only). One matrix product with the weights gives, for every kernel column and output channel, a plane as wide as x; the
planes are added, each shifted by its kernel column. Stacking kernel columns as well would copy x KW times more and save
no operations.
"""

from __future__ import annotations

import numpy as np

from workload.convolve import Array, Shape
from workload.convolve.arguments import check_arguments

TILE_BYTES = 512 * 2**10  # stack and planes of one tile: half of a common L2 cache


def convolve(x: Array, w: Array, y: Array) -> None:
    """Convolves x (B, C, H, W) with w (O, C, KH, KW) into y (B, O, H-KH+1, W-KW+1), all float32.

    Raises ValueError naming the wrong shape, dtype or stride.
    """
    check_arguments(x, w, y)
    images, rows = _tile(x.shape, w.shape)
    out_channels, channels, kernel_rows, kernel_columns = w.shape
    # One row per (kernel column, output channel), one column per (channel, kernel row).
    matrix = np.ascontiguousarray(w.transpose(3, 0, 1, 2)).reshape(-1, channels * kernel_rows)
    area = images * rows * x.shape[3]
    stack = np.empty(channels * kernel_rows * area, np.float32)
    planes = np.empty(kernel_columns * out_channels * area, np.float32)
    for first in range(0, x.shape[0], images):
        for top in range(0, y.shape[2], rows):
            target = y[first : first + images, :, top : top + rows]
            source = x[first : first + images, :, top : top + target.shape[2] + kernel_rows - 1]
            _convolve_tile(source, matrix, target, stack, planes)


def compile_for(x_shape: Shape, w_shape: Shape) -> None:
    """Does nothing: numpy is compiled already."""


def _tile(x_shape: Shape, w_shape: Shape) -> tuple[int, int]:
    """Images and output rows of one tile; several images only if a whole one is smaller than a tile."""
    out_channels, channels, kernel_rows, kernel_columns = w_shape
    row_bytes = 4 * x_shape[3] * (channels * kernel_rows + kernel_columns * out_channels)
    out_rows = x_shape[2] - kernel_rows + 1
    rows = max(1, min(out_rows, TILE_BYTES // row_bytes))
    images = max(1, min(x_shape[0], TILE_BYTES // (row_bytes * out_rows))) if rows == out_rows else 1
    return images, rows


def _convolve_tile(source: Array, matrix: Array, target: Array, stack: Array, planes: Array) -> None:
    """One tile: source (n, C, rows + KH - 1, W), target (n, O, rows, W - KW + 1); stack and planes are scratch."""
    images, channels, height, width = source.shape
    out_channels, rows, out_width = target.shape[1:]
    kernel_rows = height - rows + 1
    area = images * rows * width
    stacked = stack[: channels * kernel_rows * area].reshape(channels, kernel_rows, images, rows, width)
    for i in range(kernel_rows):
        np.copyto(stacked[:, i], source[:, :, i : i + rows].transpose(1, 0, 2, 3))
    products = planes[: len(matrix) * area].reshape(len(matrix), area)
    np.matmul(matrix, stacked.reshape(channels * kernel_rows, area), out=products)
    shifted = products.reshape(-1, out_channels, images, rows, width)
    result = target.transpose(1, 0, 2, 3)
    np.copyto(result, shifted[0, ..., :out_width])
    for j in range(1, shifted.shape[0]):
        np.add(result, shifted[j, ..., j : j + out_width], out=result)
