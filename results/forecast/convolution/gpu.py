"""How long a rank's block takes on its GPU, in one piece or in several that overlap, by what a probe measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from results.records.gpus import GpuLimits
from workload.domain.grid import Block
from workload.movement.descriptions.device import steps_of


@dataclass(frozen=True)
class OnGpu:
    """A block on a GPU: into how many pieces it is cut, and seconds of all pieces together.

    Attributes:
        weights_s: until the weights are there, for which the host waits.
        in_s, kernel_s, out_s: each part alone.
        both_s: in and out at once.
        launch_s: of the host for one piece.
    """

    pieces: int
    weights_s: float
    in_s: float
    kernel_s: float
    out_s: float
    both_s: float
    launch_s: float

    @property
    def all_in_s(self) -> float:
        """Until the last piece is there. Once the first is, the slowest of link, kernel and host sets the pace."""
        pace_s = max(self.both_s / self.pieces, self.last_kernel_s, self.launch_s)
        return self.weights_s + self.launch_s + self.in_s / self.pieces + (self.pieces - 1) * pace_s

    @property
    def last_kernel_s(self) -> float:
        return self.kernel_s / self.pieces

    @property
    def last_out_s(self) -> float:
        return self.out_s / self.pieces

    @property
    def total_s(self) -> float:
        return self.all_in_s + self.last_kernel_s + self.last_out_s


def on_gpu(block: Block, options: Mapping[str, int | str | bool], limits: GpuLimits, sharing: int = 1) -> OnGpu:
    """The block where `sharing` ranks share each GPU: it serves them in turn, so that each takes so many times as long.

    Raises ValueError unless the option `chunk_bytes` is a size.
    """
    in_bytes, out_bytes = float(block.x_bytes), float(block.y_bytes)
    return OnGpu(
        pieces=steps_of(block, options),
        weights_s=limits.launch_s + sharing * limits.in_turn_s(block.w_bytes, 0.0),
        in_s=sharing * limits.in_turn_s(in_bytes, 0.0),
        kernel_s=sharing * limits.kernel_s(in_bytes + out_bytes, flops_of(block)),
        out_s=sharing * limits.in_turn_s(0.0, out_bytes),
        both_s=sharing * limits.at_once_s(in_bytes, out_bytes),
        launch_s=limits.launch_s,
    )


def flops_of(block: Block) -> int:
    """Floating-point operations of a block."""
    return 2 * block.y_elements * len(block.in_channel) * len(block.tap_row) * len(block.tap_column)
