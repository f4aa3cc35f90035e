"""The roofline picture: each contender's speed under the two limits of the machine (Williams et al., 2009)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Point:
    """One case under one contender: floating-point operations a byte moved, and a second."""

    case: str
    contender: str
    intensity: float
    flops_per_s: float


def draw(path: Path, points: Sequence[Point], roofs: Mapping[str, tuple[float, float]], title: str) -> None:
    """Writes the picture. `roofs`: peak flop/s and byte/s by case; each case stands at its own intensity."""
    from matplotlib.figure import Figure

    peak = max(flops for flops, _ in roofs.values())
    bandwidths = [bytes_ for _, bytes_ in roofs.values()]
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    intensities = [min(point.intensity for point in points) / 2, max(point.intensity for point in points) * 2]
    for bandwidth, style in ((min(bandwidths), "-"), (max(bandwidths), "--")):
        ridge = peak / bandwidth
        across = [intensities[0], max(ridge, intensities[0]), max(intensities[1], ridge)]
        roof = [min(peak, bandwidth * intensity) / 1e9 for intensity in across]
        axes.plot(
            across, roof, "k" + style, linewidth=1, label=f"limit: {peak / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.0f} GB/s"
        )
    for contender in dict.fromkeys(point.contender for point in points):
        own = [point for point in points if point.contender == contender]
        axes.plot([p.intensity for p in own], [p.flops_per_s / 1e9 for p in own], "o", markersize=5, label=contender)
    for case, intensity in dict.fromkeys((point.case, point.intensity) for point in points):
        axes.annotate(case, (intensity, 0.02), xycoords=("data", "axes fraction"), rotation=90, ha="right", fontsize=8)
    axes.set(xscale="log", yscale="log", xlabel="FLOP per byte of x and y", ylabel="GFLOP/s", title=title)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3, which="both")
    figure.savefig(path)
