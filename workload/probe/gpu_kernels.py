"""CUDA C of what a probe runs on a GPU: a copy through its memory, and multiply-adds from registers. Pure.

Both take x, y and a number of positions, as `workload.gpu` launches kernels.
"""

from __future__ import annotations

from workload.gpu.device import Extent

COPY, MULTIPLY_ADD = "copy", "multiply_add"
THREADS = 256  # of a block
QUAD_BYTES = 16  # of the widest load: one position of the copy
QUADS = 4  # of a thread of the copy, all of them under way at once
SUMS = 8  # independent ones of a thread: with all threads of a multiprocessor more than the units take at once
ROUNDS, STEPS = 8, 64  # in the body of the loop, and its turns
FLOPS = 2 * SUMS * ROUNDS * STEPS  # of a position of the multiply-adds

_COPY = """
struct __attribute__((aligned(QUAD_BYTES))) quad { float of[QUAD_BYTES / 4]; };

#ifdef __cplusplus
extern "C"
#endif
__global__ void __launch_bounds__(THREADS)
copy(const struct quad *__restrict__ x, struct quad *__restrict__ y, long long positions)
{
    const long long first = (long long)blockIdx.x * (THREADS * QUADS) + threadIdx.x;
    struct quad taken[QUADS];
    UNROLL
    for (int i = 0; i < QUADS; ++i)
        if (first + i * THREADS < positions)
            taken[i] = x[first + i * THREADS];
    UNROLL
    for (int i = 0; i < QUADS; ++i)
        if (first + i * THREADS < positions)
            y[first + i * THREADS] = taken[i];
}
"""
_MULTIPLY_ADD = """
#ifdef __cplusplus
extern "C"
#endif
__global__ void __launch_bounds__(THREADS)
multiply_add(const float *__restrict__ x, float *__restrict__ y, long long positions)
{
    const long long position = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (position >= positions)
        return;
    const float factor = x[position];
    float sum[SUMS];
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        sum[i] = factor + (float)i;
    for (int step = 0; step < STEPS; ++step)
        UNROLL
        for (int round = 0; round < ROUNDS; ++round)
            UNROLL
            for (int i = 0; i < SUMS; ++i)
                sum[i] = fmaf(sum[i], factor, factor);
    float total = 0.0f;
    UNROLL
    for (int i = 0; i < SUMS; ++i)
        total += sum[i];
    y[position] = total; /* or the compiler could drop them */
}
"""
_VALUES = {
    "THREADS": THREADS,
    "QUAD_BYTES": QUAD_BYTES,
    "QUADS": QUADS,
    "SUMS": SUMS,
    "ROUNDS": ROUNDS,
    "STEPS": STEPS,
    "UNROLL": '_Pragma("unroll")',
}


def source(name: str) -> str:
    """CUDA C of COPY or MULTIPLY_ADD, and C where the words of CUDA are macros."""
    defined = "".join(f"#define {word} {value}\n" for word, value in _VALUES.items())
    return defined + {COPY: _COPY, MULTIPLY_ADD: _MULTIPLY_ADD}[name]


def launched(name: str, positions: int) -> tuple[Extent, Extent]:
    """Blocks, and threads of a block."""
    of_block = THREADS * (QUADS if name == COPY else 1)
    return Extent(-(-positions // of_block), 1), Extent(THREADS, 1)
