"""The register of backends: which code convolves one block.

Describes only; `workload.convolve.load` gives the code. Standard library only, so that planning needs no numpy.
docs/contributing.md tells how to add one.
"""

from __future__ import annotations

from dataclasses import dataclass

ORDINARY, NON_TEMPORAL = "ordinary", "non-temporal"
SIMD = "simd"  # against which a GPU stands
STORES = (ORDINARY, NON_TEMPORAL)  # how y is written; the second does not read a line before it overwrites it


@dataclass(frozen=True)
class BackendDescription:
    """One backend.

    Attributes:
        name: as studies and records spell it.
        module: has `convolve(x, w, y)` and `compile_for(x_shape, w_shape)`, see `workload.convolve`.
        baseline_bytes: resident size of a rank after imports and MPI start, measured with Python 3.11 on x86-64.
            Shared libraries are counted in every rank, so that sums err on the safe side.
        stores: those of STORES that it can use, the first unless told otherwise.
        on_gpu: computes on a GPU, so that only movements that keep x and y there take it.
    """

    name: str
    module: str
    baseline_bytes: int
    stores: tuple[str, ...] = (ORDINARY,)
    on_gpu: bool = False


_REGISTER = (
    BackendDescription("naive", "workload.convolve.naive", 126 * 2**20),  # with LLVM
    BackendDescription("numpy", "workload.convolve.tiles", 50 * 2**20),
    BackendDescription(SIMD, "workload.convolve.simd", 126 * 2**20, STORES),  # with LLVM
    # 97 MiB with the kernel compiled; the rest, for the driver, is an estimate: no GPU was at hand
    BackendDescription("cuda", "workload.convolve.cuda", 400 * 2**20, on_gpu=True),
)
_DESCRIPTIONS = {each.name: each for each in _REGISTER}


def names() -> tuple[str, ...]:
    """Every backend's name."""
    return tuple(_DESCRIPTIONS)


def names_on_gpu() -> tuple[str, ...]:
    """Those that compute on a GPU."""
    return tuple(each.name for each in _REGISTER if each.on_gpu)


def names_on_cpu() -> tuple[str, ...]:
    """Those that compute on the rank's own core."""
    return tuple(each.name for each in _REGISTER if not each.on_gpu)


def describe(name: str) -> BackendDescription:
    """The backend of that name. Raises ValueError for an unknown one, naming those there are."""
    if name not in _DESCRIPTIONS:
        raise ValueError(f"backend = {name!r} is unknown: it is one of {', '.join(_DESCRIPTIONS)}")
    return _DESCRIPTIONS[name]
