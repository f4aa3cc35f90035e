"""Backends: which code convolves one block. One signature, chosen by name.

A backend is `convolve(x, w, y) -> None` on float32 arrays: x (B, C, H, W), w (O, C, KH, KW),
y (B, O, H - KH + 1, W - KW + 1); any strides on the first three axes of x and y, unit stride on the
last. y is overwritten, never read. ValueError names a wrong shape or dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from workload.domain import backends

Array: TypeAlias = NDArray[np.float32]
Convolve: TypeAlias = Callable[[Array, Array, Array], None]
Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Backend:
    """A named convolution; `compile(x_shape, w_shape)` makes its code ahead of the first call, where it needs any."""

    name: str
    convolve: Convolve
    compile: Callable[[Shape, Shape], None]


def load(name: str, kernels: Path | None = None) -> Backend:
    """The backend of that name. Raises ValueError for an unknown one, ImportError where its library is absent.

    A backend that compiles a kernel for each shape keeps them in the folder `kernels`, where one is given.
    """
    module = import_module(backends.describe(name).module)
    if kernels is not None and hasattr(module, "configure"):
        module.configure(kernels)
    return Backend(name, module.convolve, module.compile_for)
