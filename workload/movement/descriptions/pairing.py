"""Which movement goes with which backend: what takes x to a GPU with what computes there. Standard library only."""

from __future__ import annotations

from workload.domain import backends
from workload.movement import descriptions as movements


def unpaired(movement: str, backend: str) -> str | None:
    """Why these two do not go together, in one line; None if they do. Raises ValueError for an unknown one."""
    if backends.describe(backend).on_gpu == movements.describe(movement).on_gpu:
        return None
    if backends.describe(backend).on_gpu:
        takes = " or ".join(movements.names_on_gpu())
        return f"backend {backend} computes on a GPU, where movement {movement} brings nothing: take movement {takes}"
    takes = " or ".join(backends.names_on_gpu())
    return f"movement {movement} brings x to a GPU, where backend {backend} does not compute: take backend {takes}"
