"""Memory for a benchmark: aligned, touched, and handed back to whoever asks again."""

from __future__ import annotations

import ctypes
import math

import numpy as np
from numpy.typing import NDArray

ALIGNMENT = 64
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's mallopt


def aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros that begin at a cache line, every page touched."""
    size = math.prod(shape)
    memory = np.empty(size + ALIGNMENT // 4, np.float32)
    start = (-memory.ctypes.data % ALIGNMENT) // 4
    array = memory[start : start + size].reshape(shape)
    array[...] = 0
    return array


def keep_freed_memory() -> bool:
    """Lets libraries that allocate their result on every call find it warm. False where malloc is not glibc's."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
