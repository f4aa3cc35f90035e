"""One input picture of a run and its output, to look at, as in the paper's Figure 2. Proves nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workload import convolve
from workload.data.images import Source, make_weights, open_pool
from workload.domain.grid import Span, whole
from workload.record.run import Run

LONGEST_SIDE = 512


def preview(run: Run, pool_file: Path) -> dict[str, NDArray[np.uint8]]:
    """`input` and `output`: image 0 of the batch before and after, (H, W, 3), or (H, W) with fewer than 3 channels."""
    first = replace(whole(run.problem), batch=Span(0, 1))
    x, y = np.empty(first.x_shape, np.float32), np.empty(first.y_shape, np.float32)
    Source(open_pool(pool_file, run.problem))(first, x)
    convolve.load("numpy").convolve(x, make_weights(run.weights, run.problem, run.seed), y)
    return {"input": _picture(x[0]), "output": _picture(y[0])}


def _picture(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The image (C, H, W) scaled to 0..255; of a large one every n-th pixel."""
    step = max(1, -(-max(image.shape[1:]) // LONGEST_SIDE))
    shown = image[: 3 if len(image) >= 3 else 1, ::step, ::step]
    low, high = float(shown.min()), float(shown.max())
    scaled = np.rint((shown - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
    return np.ascontiguousarray(scaled.transpose(1, 2, 0)) if len(scaled) == 3 else scaled[0]
