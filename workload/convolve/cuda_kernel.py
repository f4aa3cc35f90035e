"""CUDA C for one shape of Eq. 1: how it is tiled, its source, and the order in which it reads w. Pure.

A thread computes a column of `rows` outputs in `outs` channels, so that each value of x that it loads serves several
rows and all of those channels. Neighbouring threads take neighbouring columns: loads and stores of a warp are whole
cache lines. x comes through the cache of the multiprocessor, where the threads of a block, which share its columns,
find it again; a load of w is one for the whole warp. Nothing waits for other threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workload.convolve import Array, Shape
from workload.gpu.device import Extent

NAME = "convolve"
WARP = 32
THREADS = 256  # of a block
MOST_OUTS = MOST_ROWS = 8  # 64 sums fill half of a thread's registers
MOST_BAND = 8  # rows of taps that share loads of x
MOST_UNROLLED = 32  # taps that are written out; more would only take longer to compile
VECTOR = 4  # float32 of the widest load

_BODY = """
struct __attribute__((aligned(ALIGNMENT))) taps { float of[PADDED_OUTS]; };

#ifdef __cplusplus
extern "C"
#endif
__global__ void __launch_bounds__(POSITIONS * GROUPS)
convolve(const float *__restrict__ x, const struct taps *__restrict__ w, float *__restrict__ y, long long positions)
{
    const long long position = (long long)blockIdx.x * POSITIONS + threadIdx.x;
    const int group = (int)(blockIdx.y * GROUPS + threadIdx.y);
    if (position >= positions || group >= OUT_GROUPS)
        return;
    const int column = (int)(position % Y_COLUMNS);
    const int first = (int)(position / Y_COLUMNS % ROW_GROUPS) * ROWS;
    const long long image = position / Y_COLUMNS / ROW_GROUPS;
    const float *plane = x + image * CHANNELS * X_PLANE + column;
    const struct taps *band = w + (long long)group * (CHANNELS * TAP_ROWS * TAP_COLUMNS);
    float sum[OUTS][ROWS] = {{0.0f}};

    for (int channel = 0; channel < CHANNELS; ++channel, plane += X_PLANE)
        for (int top = 0; top < TAP_ROWS; top += BAND, band += BAND * TAP_COLUMNS)
            UNROLL_COLUMNS
            for (int j = 0; j < TAP_COLUMNS; ++j) {
                float seen[ROWS + BAND - 1];
                UNROLL
                for (int r = 0; r < ROWS + BAND - 1; ++r) {
                    const int row = first + top + r;
                    seen[r] = plane[(OFFSET)(WHOLE || row < X_ROWS ? row : X_ROWS - 1) * X_COLUMNS + j];
                }
                UNROLL
                for (int i = 0; i < BAND; ++i) {
                    const struct taps tap = band[i * TAP_COLUMNS + j];
                    UNROLL
                    for (int o = 0; o < OUTS; ++o)
                        UNROLL
                        for (int r = 0; r < ROWS; ++r)
                            sum[o][r] = fmaf(tap.of[o], seen[r + i], sum[o][r]);
                }
            }

    float *out = y + (image * OUT_CHANNELS + group * OUTS) * Y_PLANE + (long long)first * Y_COLUMNS + column;
    UNROLL
    for (int o = 0; o < OUTS; ++o)
        UNROLL
        for (int r = 0; r < ROWS; ++r)
            if ((OUT_CHANNELS % OUTS == 0 || group * OUTS + o < OUT_CHANNELS) && (WHOLE || first + r < Y_ROWS))
                out[o * Y_PLANE + r * (OFFSET)Y_COLUMNS] = sum[o][r];
}
"""


@dataclass(frozen=True)
class CudaTiling:
    """How the loops of one shape are divided.

    Attributes:
        outs, rows: output channels and rows of y of a thread.
        band: rows of taps for which x is loaded together; divides the kernel's rows.
        groups: sets of `outs` channels that a block computes side by side.
        positions: threads of a block along columns, rows and images; whole warps.
    """

    outs: int
    rows: int
    band: int
    groups: int
    positions: int

    @property
    def padded_outs(self) -> int:
        """Channels of one load of w: as many as vector loads bring."""
        return self.outs if self.outs < 3 else -(-self.outs // VECTOR) * VECTOR


def choose(x_shape: Shape, w_shape: Shape) -> CudaTiling:
    """The tiling for x (any, C, H, W) and w (O, C, KH, KW)."""
    outs = _least_waste(w_shape[0], MOST_OUTS)
    groups = min(8, 1 << (-(-w_shape[0] // outs) - 1).bit_length())
    band = max(rows for rows in range(1, MOST_BAND + 1) if w_shape[2] % rows == 0)
    rows = _least_waste(x_shape[2] - w_shape[2] + 1, MOST_ROWS)
    return CudaTiling(outs, rows, band, groups, THREADS // groups)


def _least_waste(length: int, most: int) -> int:
    """The part, from half of `most` up, into which a length is cut with the least left over; the largest of equals."""
    if length <= most:
        return length
    return min(range(most, most // 2 - 1, -1), key=lambda part: -(-length // part) * part)


def source(tiling: CudaTiling, x_shape: Shape, w_shape: Shape) -> str:
    """CUDA C, and C where the words of CUDA are macros, for x (any, C, H, W) and w (O, C, KH, KW)."""
    _, channels, x_rows, x_columns = x_shape
    outs, _, tap_rows, tap_columns = w_shape
    y_rows, y_columns = x_rows - tap_rows + 1, x_columns - tap_columns + 1
    values = {
        "POSITIONS": tiling.positions,
        "GROUPS": tiling.groups,
        "OUTS": tiling.outs,
        "PADDED_OUTS": tiling.padded_outs,
        "ALIGNMENT": 4 * min(tiling.padded_outs, VECTOR),
        "ROWS": tiling.rows,
        "BAND": tiling.band,
        "CHANNELS": channels,
        "OUT_CHANNELS": outs,
        "OUT_GROUPS": -(-outs // tiling.outs),
        "TAP_ROWS": tap_rows,
        "TAP_COLUMNS": tap_columns,
        "X_ROWS": x_rows,
        "X_COLUMNS": x_columns,
        "X_PLANE": f"{x_rows * x_columns}LL",
        "Y_ROWS": y_rows,
        "Y_COLUMNS": y_columns,
        "Y_PLANE": f"{y_rows * y_columns}LL",
        "ROW_GROUPS": -(-y_rows // tiling.rows),
        "WHOLE": int(y_rows % tiling.rows == 0),
        "OFFSET": "int" if x_rows * x_columns < 2**31 else "long long",
        "UNROLL": '_Pragma("unroll")',
        "UNROLL_COLUMNS": '_Pragma("unroll")' if tiling.band * tap_columns <= MOST_UNROLLED else '_Pragma("unroll 1")',
    }
    return "".join(f"#define {name} {value}\n" for name, value in values.items()) + _BODY


def pack(w: Array, tiling: CudaTiling) -> Array:
    """w (O, C, KH, KW) in the order in which a thread reads it, the channels that fill up the last set being zero.

    The shape is (sets of outs, C, KH, KW, padded outs).
    """
    sets = -(-w.shape[0] // tiling.outs)
    packed = np.zeros((sets, *w.shape[1:], tiling.padded_outs), np.float32)
    for place in range(w.shape[0]):
        packed[place // tiling.outs, ..., place % tiling.outs] = w[place]
    return packed


def launched(tiling: CudaTiling, y_shape: Shape) -> tuple[Extent, Extent, int]:
    """Blocks, threads of a block, and positions, for y (B, O, H, W)."""
    images, outs, rows, columns = y_shape
    positions = images * -(-rows // tiling.rows) * columns
    sets = -(-outs // tiling.outs)
    blocks = Extent(-(-positions // tiling.positions), -(-sets // tiling.groups))
    return blocks, Extent(tiling.positions, tiling.groups), positions
