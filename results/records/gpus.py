"""What a node's GPUs can do at the most, as a probe measured it, and the least times that follow. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class GpuLimits:
    """One GPU, while `active` of its node are at work.

    Attributes:
        both_bytes_per_s: of both directions together, while as many bytes go each way.
        copy_bytes_per_s: of its own memory, read plus written.
        launch_s: of the host, until a kernel that does next to nothing is known to be done.
    """

    active: int
    to_device_bytes_per_s: float
    to_host_bytes_per_s: float
    both_bytes_per_s: float
    copy_bytes_per_s: float
    flops_per_s: float
    launch_s: float

    def in_turn_s(self, in_bytes: float, out_bytes: float) -> float:
        """To the device and, after that, back."""
        return in_bytes / self.to_device_bytes_per_s + out_bytes / self.to_host_bytes_per_s

    def at_once_s(self, in_bytes: float, out_bytes: float) -> float:
        """The same with both directions at work at once, until one is done: no transfer can be faster.

        Neither longer than one after the other, nor shorter than each alone, whatever the noise of the probe says.
        """
        slower = min(self.to_device_bytes_per_s, self.to_host_bytes_per_s)
        in_turn = 2.0 / (1.0 / self.to_device_bytes_per_s + 1.0 / self.to_host_bytes_per_s)
        together = min(max(self.both_bytes_per_s, in_turn), 2.0 * slower)
        each_way = min(in_bytes, out_bytes)
        return 2.0 * each_way / together + self.in_turn_s(in_bytes - each_way, out_bytes - each_way)

    def copy_s(self, moved_bytes: float) -> float:
        """To read or write so many bytes of its memory."""
        return moved_bytes / self.copy_bytes_per_s

    def kernel_s(self, moved_bytes: float, flops: float) -> float:
        """To move so many bytes of its memory and compute so much meanwhile."""
        return max(self.copy_s(moved_bytes), flops / self.flops_per_s)


@dataclass(frozen=True)
class ProbedGpus:
    """The GPUs of the slowest node. `count` is of the node that has fewest; `by_active` is ascending."""

    count: int
    by_active: tuple[GpuLimits, ...]

    def at(self, active: int) -> GpuLimits:
        """With so many at work: of the least number measured that is no smaller, else of the largest."""
        return next((each for each in self.by_active if each.active >= active), self.by_active[-1])

    def document(self) -> dict[str, Any]:
        """As the ledger's forecast has it (docs/formats.md)."""
        return {"count": self.count, "by_active": [asdict(each) for each in self.by_active]}


LAUNCH = "launch_s"
_KEYS = {  # the kind of a probe's figure and its key, by the attribute of GpuLimits
    "to_device_bytes_per_s": ("to_device", "bytes_per_s"),
    "to_host_bytes_per_s": ("to_host", "bytes_per_s"),
    "both_bytes_per_s": ("both", "bytes_per_s"),
    "copy_bytes_per_s": ("copy", "bytes_per_s"),
    "flops_per_s": ("multiply_add", "flops_per_s"),
    LAUNCH: ("launch", "launch_s"),
}


def of_nodes(nodes: Sequence[Mapping[str, Any]]) -> ProbedGpus | None:
    """From the nodes of a probe; None unless each has GPUs, for a run is as slow as the slowest.

    Raises KeyError, TypeError, ValueError or AttributeError where a figure is missing or wrong.
    """
    found = [node["gpus"] for node in nodes if "gpus" in node]
    if not found or len(found) < len(nodes):
        return None
    of_each = [_of_node(gpus) for gpus in found]
    slowest = [_slowest([limits[active] for limits in of_each if active in limits]) for active in set().union(*of_each)]
    return _probed(min(_count(gpus["count"]) for gpus in found), slowest)


def _probed(count: int, limits: Sequence[GpuLimits]) -> ProbedGpus:
    if not limits:
        raise ValueError("no figure of a GPU")
    return ProbedGpus(count, tuple(sorted(limits, key=lambda each: each.active)))


def _of_node(gpus: Mapping[str, Any]) -> dict[int, GpuLimits]:
    """By how many were at work, which is 1 at the least."""
    kinds = {name: {each["active"]: positive(each[key]) for each in gpus[kind]} for name, (kind, key) in _KEYS.items()}
    actives = {1, *(_count(each["active"]) for each in gpus["copy"])}
    return {active: GpuLimits(active, **{name: kinds[name][active] for name in kinds}) for active in actives}


def _slowest(limits: Sequence[GpuLimits]) -> GpuLimits:
    rates = {name: min(getattr(each, name) for each in limits) for name in _KEYS if name != LAUNCH}
    return GpuLimits(limits[0].active, **rates, launch_s=max(each.launch_s for each in limits))


def parse(document: object) -> ProbedGpus | None:
    """What `document` wrote; None where nothing was, or it is damaged."""
    try:
        if not isinstance(document, Mapping):
            return None
        found = [
            GpuLimits(_count(each["active"]), **{key: positive(each[key]) for key in _KEYS})
            for each in document["by_active"]
        ]
        return _probed(_count(document["count"]), found)
    except (KeyError, TypeError, ValueError):
        return None


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} GPUs")
    return value


def positive(value: Any) -> float:
    """A figure of a probe. Raises TypeError or ValueError unless it is a number above 0."""
    number = float(value)
    if not (math.isfinite(number) and number > 0.0):
        raise ValueError(f"{value} is not a measurement")
    return number
