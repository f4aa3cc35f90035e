"""Makes any block of the input batch, and the weights, on any rank, without the other blocks.

The batch is made from a small pool of pictures (n, C, H, W), uint8, 1 to 255, mapped from a file. Image b is
pool[b mod n], rolled down by (b div n) mod H rows and multiplied by its own factor. No two images of a batch are equal,
so the check notices a rank that convolves the wrong image or none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workload.domain.grid import Block, Span
from workload.domain.problem import Problem

GOLDEN = 0.6180339887498949  # the fractions of its multiples spread evenly over [0, 1)
SMALL_IMAGE = 2**14  # elements: for smaller images Python's overhead would exceed the copy
ROWS_AT_ONCE = 64  # so that both passes of the conversion stay in cache


def open_pool(path: Path, problem: Problem) -> NDArray[np.uint8]:
    """The pool in a .npy file, memory-mapped. Raises ValueError if it does not fit the problem; OSError."""
    pool: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    expected = (problem.in_channels, problem.height, problem.width)
    if pool.dtype != np.uint8 or pool.ndim != 4 or pool.shape[1:] != expected or not 1 <= len(pool) <= 8:
        raise ValueError(f"{path}: holds {pool.dtype} {pool.shape}, not 1 to 8 uint8 pictures of shape {expected}")
    return pool


def factor(image: int, pictures: int, height: int) -> np.float32:
    """What image number `image` of the batch is multiplied by: 0.5/255 to 1.5/255, rounded once to float32."""
    turns = GOLDEN * (image // (pictures * height))
    return np.float32((0.5 + (turns - math.floor(turns))) / 255)


@dataclass(frozen=True)
class Alike:
    """Images that follow each other, made of `pictures` that do, rolled down alike and multiplied by one factor."""

    images: Span
    pictures: range
    rolled: int
    factor: np.float32


class Source:
    """`source(block, out)` fills `out` with the block's part of x (float32), about as fast as a copy.

    Attributes:
        pool: the pictures (n, C, H, W), uint8.
    """

    def __init__(self, pool: NDArray[np.uint8]) -> None:
        self.pool = pool

    def __call__(self, block: Block, out: NDArray[np.float32]) -> None:
        """Fills `out`, of shape `block.x_shape`. Raises ValueError for another shape."""
        if out.shape != block.x_shape:
            raise ValueError(f"out has shape {out.shape}, but the block reads {block.x_shape} of x")
        start = block.batch.start
        for alike in self.alike(block):
            self._fill(alike, block, out[alike.images.start - start : alike.images.stop - start])

    def alike(self, block: Block) -> Iterator[Alike]:
        """The block's images, those at once that have the same roll and factor if they are small, else one by one."""
        pictures, *shape = self.pool.shape
        together = pictures if math.prod(shape) <= SMALL_IMAGE else 1
        start = block.batch.start
        while start < block.batch.stop:
            stop = min(block.batch.stop, start - start % together + together)
            first, height = start % pictures, shape[1]
            made_of = range(first, first + stop - start)
            yield Alike(Span(start, stop), made_of, (start // pictures) % height, factor(start, pictures, height))
            start = stop

    def _fill(self, alike: Alike, block: Block, out: NDArray[np.float32]) -> None:
        height, rolled = self.pool.shape[2], alike.rolled
        pool = self.pool[alike.pictures.start : alike.pictures.stop]
        channels = slice(block.in_channel.start, block.in_channel.stop)
        columns = slice(block.x_columns.start, block.x_columns.stop)
        for rows in _pieces(block.x_rows, rolled):
            target = out[:, :, rows.start - block.x_rows.start : rows.stop - block.x_rows.start]
            first = (rows.start - rolled) % height
            np.copyto(target, pool[:, channels, first : first + len(rows), columns])
            np.multiply(target, alike.factor, out=target)


def _pieces(rows: Span, rolled: int) -> list[Span]:
    """The rows, cut where the roll wraps around and into runs that fit the cache."""
    edges = {rows.start, rows.stop, *range(rows.start, rows.stop, ROWS_AT_ONCE)}
    if rows.start < rolled < rows.stop:
        edges.add(rolled)
    return [Span(start, stop) for start, stop in itertools.pairwise(sorted(edges))]


def make_weights(kind: str, problem: Problem, seed: int) -> NDArray[np.float32]:
    """Weights w (O, C, K, K), float32: random, or a filter that output channel o applies to channel o mod C.

    Raises ValueError for an unknown kind, and for `edges` with a kernel of one tap, which would be all zero.
    """
    size = problem.kernel_size
    if kind == "random":
        taps = problem.in_channels * size * size
        generator = np.random.Generator(np.random.Philox(key=seed))
        return (generator.standard_normal(problem.w_shape) / math.sqrt(taps)).astype(np.float32)
    if kind == "edges" and size == 1:
        raise ValueError("weights = 'edges' are all zero for kernel_size = 1: take a larger kernel or other weights")
    blur = np.full((size, size), 1 / size**2)
    identity = np.zeros((size, size))
    identity[size // 2, size // 2] = 1
    filters = {"identity": identity, "box-blur": blur, "sharpen": 2 * identity - blur, "edges": identity - blur}
    if kind not in filters:
        raise ValueError(f"weights {kind!r} are unknown: they are one of {', '.join([*filters, 'random'])}")
    weights = np.zeros(problem.w_shape, np.float32)
    for out_channel in range(problem.out_channels):
        weights[out_channel, out_channel % problem.in_channels] = filters[kind]
    return weights
