"""Checks what every backend requires of its arrays."""

from __future__ import annotations

import numpy as np

from workload.convolve import Array


def check_arguments(x: Array, w: Array, y: Array) -> None:
    """Raises ValueError naming the array whose dtype, rank, shape or last stride is wrong."""
    for name, array in (("x", x), ("w", w), ("y", y)):
        if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.ndim != 4:
            kind = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ValueError(f"{name} is {kind}: give a float32 array of four axes")
        if array.size == 0:
            raise ValueError(f"{name} has shape {array.shape}: every axis needs at least one element")
    if x.shape[1] != w.shape[1]:
        raise ValueError(f"x has {x.shape[1]} channels, but w of shape {w.shape} takes {w.shape[1]}")
    if w.shape[2] > x.shape[2] or w.shape[3] > x.shape[3]:
        raise ValueError(f"the {w.shape[2]} x {w.shape[3]} kernel is larger than x of shape {x.shape}")
    expected = (x.shape[0], w.shape[0], x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1)
    if y.shape != expected:
        raise ValueError(f"y has shape {y.shape}: x {x.shape} and w {w.shape} give {expected}")
    for name, array in (("x", x), ("y", y)):
        if array.shape[3] > 1 and array.strides[3] != array.itemsize:
            raise ValueError(
                f"{name} has a stride of {array.strides[3]} bytes along columns: it must be contiguous there"
            )
    if not y.flags.writeable:
        raise ValueError("y is read-only: give an array that can be written")
