"""The GPUs of nodes: their driver, whether all are there, their free memory, and who else is on them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestration.checks.nodes import Check
from orchestration.clusters.inventory import Node

Described = tuple[Node, Mapping[str, Any]]
FREE_SHARE = 0.9  # of its memory: a driver keeps a little for itself


def of_nodes(described: Sequence[Described]) -> list[Check]:
    """Checks of the nodes that were made with GPUs, or show some, from the machines' own words; none without such.

    Faults are of nodes that lack what they were made with; everything else is a warning, for runs without GPUs go well.
    """
    concerned = [(node, machine) for node, machine in described if node.gpus or machine.get("idle_gpus")]
    if not concerned:
        return []
    return [_driver(concerned), _there(concerned), _memory(concerned), _alone(concerned)]


def _driver(concerned: Sequence[Described]) -> Check:
    lines = {node: line for node, machine in concerned if (line := _lacking(node, machine))}
    versions = Counter(str(gpu["driver"]) for _, gpu in _each(concerned))
    return Check(
        "NVIDIA driver",
        ", ".join(versions) or "none",
        faults=tuple(line for node, line in lines.items() if node.gpus),
        warnings=tuple(line for node, line in lines.items() if not node.gpus),
    )


def _lacking(node: Node, machine: Mapping[str, Any]) -> str:
    """The first thing that a node needs to compute on its GPUs and has not; empty where it has all."""
    said = str(machine.get("cuda", ""))
    if said.startswith("none: "):
        return f"{node.name} has {said.removeprefix('none: ')}"
    if machine.get("idle_gpus") is None:
        return f"{node.name} cannot ask its GPUs (no nvidia-ml-py): install the pinned packages of the extra gpu there"
    return ""


def _there(concerned: Sequence[Described]) -> Check:
    faults = [
        f"{node.name} was made with {node.gpus} GPUs and shows {shown}: make it anew"
        for node, machine in concerned
        if (shown := len(machine.get("idle_gpus") or ())) < node.gpus and not _lacking(node, machine)
    ]
    names = Counter(str(gpu["name"]) for _, gpu in _each(concerned))
    said = ", ".join(f"{count} x {name}" for name, count in names.items())
    return Check("GPUs", said or "none seen", tuple(faults))


def _memory(concerned: Sequence[Described]) -> Check:
    known = [
        (node, gpu)
        for node, gpu in _each(concerned)
        if gpu["memory_bytes"] is not None and gpu["memory_free_bytes"] is not None
    ]
    lines = [
        f"{node.name}: its {gpu['name']} has {_mib(gpu['memory_free_bytes'])} free of {_mib(gpu['memory_bytes'])}: end "
        "what holds the rest ('nvidia-smi' there names it)"
        for node, gpu in known
        if gpu["memory_free_bytes"] < FREE_SHARE * gpu["memory_bytes"]
    ]
    least = min((gpu["memory_free_bytes"] for _, gpu in known), default=None)
    said = "not told" if least is None else f"{_mib(least)} free"
    return Check("GPU memory", said, tried=least is not None, warnings=tuple(lines))


def _alone(concerned: Sequence[Described]) -> Check:
    counts = [(node, gpu) for node, gpu in _each(concerned) if gpu["processes"] is not None]
    lines = [
        f"{node.name}: {gpu['processes']} processes compute on its {gpu['name']}: end them, or runs on it are marked"
        for node, gpu in counts
        if gpu["processes"]
    ]
    said = f"{sum(gpu['processes'] for _, gpu in counts)} processes" if counts else "not told"
    return Check("nobody else on the GPUs", said, tried=bool(counts), warnings=tuple(lines))


def _each(concerned: Sequence[Described]) -> Iterator[tuple[Node, Mapping[str, Any]]]:
    for node, machine in concerned:
        for gpu in machine.get("idle_gpus") or ():
            yield node, gpu


def _mib(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
