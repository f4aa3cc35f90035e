"""Backends: which code convolves one block. All have one signature and are loaded by name.

A backend is `convolve(x, w, y) -> None` on float32 arrays: x (B, C, H, W), w (O, C, KH, KW),
y (B, O, H - KH + 1, W - KW + 1); any strides on the first three axes of x and y, unit stride on the last. y is
overwritten, never read. Raises ValueError, naming a wrong shape or dtype. `workload.domain.backends` has the register
of their names, and docs/contributing.md tells how to add one.
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
    """A named convolution. `compile(x_shape, w_shape)` compiles ahead of the first call what the backend compiles."""

    name: str
    convolve: Convolve
    compile: Callable[[Shape, Shape], None]


def load(name: str, kernels: Path | None = None, stores: str = backends.ORDINARY) -> Backend:
    """The backend of that name with these stores.

    Raises ValueError for an unknown one or stores that it cannot use, ImportError if its library is missing.

    A backend that compiles a kernel for each shape keeps them in the folder `kernels`, if one is given.
    """
    described = backends.describe(name)
    if stores not in described.stores:
        raise ValueError(f"stores = {stores!r}: backend {name} has {', '.join(described.stores)}; give one of them")
    module = import_module(described.module)
    if kernels is not None and hasattr(module, "configure"):
        module.configure(kernels)
    if stores != backends.ORDINARY:
        module = module.compiler(stores)
    return Backend(name, module.convolve, module.compile_for)
