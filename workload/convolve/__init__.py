"""Backends: which code convolves one block. One signature, chosen by name.

A backend is `convolve(x, w, y) -> None` on float32 arrays: x (B, C, H, W), w (O, C, KH, KW),
y (B, O, H - KH + 1, W - KW + 1); any strides on the first three axes of x and y, unit stride on the
last. y is overwritten, never read. ValueError names a wrong shape or dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]
Convolve: TypeAlias = Callable[[Array, Array, Array], None]
Shape: TypeAlias = tuple[int, ...]

_MODULES = {
    "naive": "workload.convolve.naive",
    "numpy": "workload.convolve.tiles",
    "simd": "workload.convolve.simd",
}


@dataclass(frozen=True)
class Backend:
    """A named convolution; `compile(x_shape, w_shape)` makes its code ahead of the first call, where it needs any."""

    name: str
    convolve: Convolve
    compile: Callable[[Shape, Shape], None]


def names() -> tuple[str, ...]:
    return tuple(_MODULES)


def load(name: str) -> Backend:
    """The backend of that name. Raises ValueError for an unknown one, ImportError where its library is absent."""
    if name not in _MODULES:
        raise ValueError(f"backend {name!r} is unknown: it is one of {', '.join(_MODULES)}")
    module = import_module(_MODULES[name])
    return Backend(name, module.convolve, module.compile_for)
