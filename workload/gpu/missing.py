"""What a person is told of what a node lacks for the backend `cuda`: each in one line, with what to do."""

from __future__ import annotations

INSTEAD = "or take another backend, such as simd"
COMPILER_MISSING = (
    f"no CUDA compiler: 'pip install --constraint constraints.txt nvidia-cuda-nvrtc-cu12' brings it, {INSTEAD}"
)
DRIVER_MISSING = f"no NVIDIA driver (libcuda.so.1): install one for CUDA 12 or newer on a machine with a GPU, {INSTEAD}"
GPU_UNTAKEN = (
    "an NVIDIA GPU that no driver takes: install one for CUDA 12 or newer, its modules signed where Secure Boot is on "
    f"('dmesg' says why one was refused), or give the GPU to this container, {INSTEAD}"
)
GPU_MISSING = f"an NVIDIA driver, but no GPU that it can use: take a machine with one, {INSTEAD}"
