"""Convolutions of torch on a GPU, by cuDNN in the ways that torch lets one ask for, and without it.

torch lets nobody name an algorithm: which one ran is told by the names of its kernels, as its profiler lists them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What is asked of torch.backends.cudnn, and whether channels come last
WAYS: dict[str, tuple[dict[str, bool], bool]] = {
    "cudnn": ({"enabled": True, "benchmark": True}, False),
    "cudnn, channels last": ({"enabled": True, "benchmark": True}, True),
    "cudnn, unmeasured": ({"enabled": True, "benchmark": False}, False),
    "cudnn, deterministic": ({"enabled": True, "benchmark": True, "deterministic": True}, False),
    "torch without cudnn": ({"enabled": False}, False),
}
WINOGRAD, FFT, IMPLICIT_GEMM, DIRECT, UNNAMED = "Winograd", "FFT", "implicit GEMM", "direct", "not told"
_WORDS = ((WINOGRAD, ("winograd",)), (FFT, ("fft",)), (IMPLICIT_GEMM, ("implicit", "fprop")), (DIRECT, ("direct",)))
RIVALS = (IMPLICIT_GEMM, DIRECT)  # that compute as many multiply-adds as ours


@dataclass(frozen=True)
class TorchContender:
    """`seconds(turns)`: of one convolution, by the device's clock. `kernels`: the names of what ran on the GPU."""

    seconds: Callable[[int], float]
    kernels: tuple[str, ...]
    image: NDArray[np.float32]  # the first of y

    @property
    def family(self) -> str:
        return family(self.kernels)


def family(kernels: tuple[str, ...]) -> str:
    """The algorithm that the kernels' names tell."""
    names = [kernel.lower() for kernel in kernels]
    return next((told for told, words in _WORDS if any(word in name for name in names for word in words)), UNNAMED)


def contenders(x: NDArray[np.float32], w: NDArray[np.float32]) -> Iterator[tuple[str, TorchContender]]:
    """Every way that works here; says which do not. Raises RuntimeError, saying why, where none can."""
    try:
        import torch
    except ImportError as error:
        raise RuntimeError("torch is not installed: 'make contenders' brings it") from error
    if not torch.cuda.is_available():
        raise RuntimeError("torch sees no GPU: its version wants a newer driver, or has none for GPUs")
    for name, (flags, channels_last) in WAYS.items():
        try:
            yield name, _contender(torch, flags, channels_last, (x, w))
        except RuntimeError as error:  # memory, or no engine that does it so
            print(f"{name} skipped: {str(error).splitlines()[0]}", file=sys.stderr)


def _contender(
    torch: Any, flags: dict[str, bool], channels_last: bool, arrays: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> TorchContender:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x, w = (torch.from_numpy(each).cuda().contiguous(memory_format=layout) for each in arrays)
    begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def convolve(turns: int) -> Any:
        y = None
        with torch.inference_mode(), torch.backends.cudnn.flags(**flags, allow_tf32=False):
            for _ in range(turns):
                y = torch.nn.functional.conv2d(x, w)
        return y

    def seconds(turns: int) -> float:
        begun.record()
        convolve(turns)
        ended.record()
        ended.synchronize()
        return float(begun.elapsed_time(ended)) / 1000 / turns

    image = convolve(1)[0].contiguous().cpu().numpy()  # also lets cuDNN measure its algorithms, before any clock runs
    return TorchContender(seconds, _kernels(torch, convolve), image)


def _kernels(torch: Any, convolve: Callable[[int], Any]) -> tuple[str, ...]:
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        convolve(1)
        torch.cuda.synchronize()
    on_device = (event.name for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA)
    return tuple(dict.fromkeys(on_device))
