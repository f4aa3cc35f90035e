"""Backend `cuda`: the direct convolution on a GPU, in CUDA C made for the shape when the run starts.

`cuda_kernel` chooses the tiling and writes the source; `workload.gpu` compiles and launches it. The movement `device`
keeps x and y on the GPU; `convolve` here takes arrays of the host, moves them there and back, and waits.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from workload.convolve import Array, Shape, cuda_kernel
from workload.convolve.arguments import check_arguments
from workload.gpu import driver
from workload.gpu.device import Device, DeviceStream, Kernel, Memory


class CudaConvolution:
    """Eq. 1 on one device for x (any, C, H, W) and w (O, C, KH, KW); compiled when it is made.

    Raises RuntimeError with the compiler's words if it refuses the kernel.
    """

    def __init__(self, device: Device, x_shape: Shape, w_shape: Shape) -> None:
        self._tiling = cuda_kernel.choose(x_shape, w_shape)
        source = cuda_kernel.source(self._tiling, x_shape, w_shape)
        self._kernel: Kernel = device.compile(source, cuda_kernel.NAME)

    def packed(self, w: Array) -> Array:
        """w in the kernel's order: what `launch` wants on the device."""
        return cuda_kernel.pack(w, self._tiling)

    def launch(self, stream: DeviceStream, x: Memory, w: Memory, y: Memory, y_shape: Shape) -> None:
        """Convolves as many images as `y_shape` has, contiguous ones of x, into y; w is packed."""
        blocks, threads, positions = cuda_kernel.launched(self._tiling, y_shape)
        stream.launch(self._kernel, blocks, threads, (x, w, y), positions)


@dataclass
class _Chosen:
    local_rank: int = 0
    device: Device | None = None
    made: dict[tuple[Shape, Shape], CudaConvolution] = field(default_factory=dict)


_chosen = _Chosen()


def use_gpu_of(local_rank: int) -> None:
    """Takes the GPU of that rank of the node from now on: for the entry point, before the first call."""
    _chosen.local_rank, _chosen.device = local_rank, None
    _chosen.made.clear()


def device() -> Device:
    """This process's GPU. Raises RuntimeError, in one line that says what to do, where there is none."""
    if _chosen.device is None:
        _chosen.device = driver.opened(_chosen.local_rank)
    return _chosen.device


def convolution(x_shape: Shape, w_shape: Shape) -> CudaConvolution:
    """The code for these shapes on this process's GPU, compiled once. Raises as `device` and `CudaConvolution` do."""
    key = (tuple(x_shape[1:]), tuple(w_shape))
    if key not in _chosen.made:
        _chosen.made[key] = CudaConvolution(device(), x_shape, w_shape)
    return _chosen.made[key]


def compile_for(x_shape: Shape, w_shape: Shape) -> None:
    """Makes the code for these shapes, so that the first call finds it ready. Shapes as for `convolve`."""
    convolution(x_shape, w_shape)


def convolve(x: Array, w: Array, y: Array) -> None:
    """y = x * w by Eq. 1, summed in float32 by fused multiply-adds. Shapes: `workload.convolve`.

    Raises:
        ValueError: a wrong shape, dtype or stride, named.
        MemoryError: x, w and y do not fit the GPU.
        RuntimeError: compiler, driver or GPU are missing, or the device failed.
    """
    check_arguments(x, w, y)
    code, stream = convolution(x.shape, w.shape), device().stream()
    answer = np.empty(y.shape, np.float32)
    arrays = [np.ascontiguousarray(x), code.packed(w), answer]
    with ExitStack() as held:
        there: list[Memory] = []
        for array in arrays:
            there.append(device().memory(array.nbytes))
            held.callback(there[-1].free)
        x_there, w_there, y_there = there
        stream.copy_in(x_there, arrays[0])
        stream.copy_in(w_there, arrays[1])
        code.launch(stream, x_there, w_there, y_there, y.shape)
        stream.copy_out(answer, y_there)
        stream.wait()
    y[...] = answer
