"""Which processors nodes have, by their kernels: whether they differ, whether one is older than asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Google's names, oldest first, of Intel's family 6: model, and the steppings from which on it is that one
# (Linux, arch/x86/include/asm/intel-family.h; Skylake, Cascade Lake and Cooper Lake share a model)
INTEL = (
    ("Intel Sandy Bridge", 45, 0),
    ("Intel Ivy Bridge", 62, 0),
    ("Intel Haswell", 63, 0),
    ("Intel Broadwell", 79, 0),
    ("Intel Skylake", 85, 0),
    ("Intel Cascade Lake", 85, 5),
    ("Intel Ice Lake", 106, 0),
    ("Intel Sapphire Rapids", 143, 0),
    ("Intel Emerald Rapids", 207, 0),
)
NUMBERS = re.compile(r"\(family 6, model (\d+), stepping (\d+)\)$")


def mixed_processors(models: Mapping[str, str]) -> str:
    """Which nodes have which processor, from each node's; empty where all have the same."""
    nodes: dict[str, list[str]] = {}
    for name, model in models.items():
        nodes.setdefault(model, []).append(name)
    return "; ".join(f"{model}: {', '.join(names)}" for model, names in nodes.items()) if len(nodes) > 1 else ""


def platform_of(model: str) -> str:
    """Google's name of the processor that a record's `cpu_model` describes; empty where it is not known."""
    found = NUMBERS.search(model)
    if found is None:
        return ""
    number, stepping = int(found[1]), int(found[2])
    names = [name for name, known, least in INTEL if known == number and stepping >= least]
    return names[-1] if names else ""


def older_than_asked(models: Mapping[str, str], asked: str | None) -> list[str]:
    """A line for each node whose processor is known, and older than the platform that was asked for."""
    order = [name for name, *_ in INTEL]
    if asked not in order:
        return []
    found = {node: platform_of(model) for node, model in models.items()}
    return [
        f"{node} runs on {platform}, and at least {asked} was asked for: make it anew"
        for node, platform in found.items()
        if platform in order and order.index(platform) < order.index(asked)
    ]
