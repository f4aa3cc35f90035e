"""What `fab check` says of nodes with GPUs: what they lack with its remedy, and nothing of nodes without any."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.checks import gpus
from orchestration.checks.nodes import Check
from orchestration.clusters.inventory import Node
from tests.orchestration.support import make_inventory
from tests.workload.gpu.management import management
from workload.gpu import state
from workload.gpu.missing import COMPILER_MISSING, DRIVER_MISSING, GPU_MISSING, GPU_UNTAKEN

NAMES = ["NVIDIA driver", "GPUs", "GPU memory", "nobody else on the GPUs"]
NONE: dict[tuple[int, int], int] = {}


def shown(processes: tuple[int, int] = (0, 0), free_gib: float = 23.5, untold: tuple[str, ...] = ()) -> dict[str, Any]:
    """A machine with two GPUs as NVIDIA's library, or rather what plays it, shows them."""
    library = management(list(processes), NONE, untold, free_bytes=int(free_gib * 2**30))
    return {"cuda": "found", "idle_gpus": state.seen(library)}


def checked(machine: dict[str, Any], made_with: int = 2) -> list[Check]:
    node: Node = make_inventory(2).nodes[0].model_copy(update={"gpus": made_with})
    return gpus.of_nodes([(node, machine)])


def said(machine: dict[str, Any], made_with: int = 2) -> tuple[list[str], list[str]]:
    found = checked(machine, made_with)
    assert [check.name for check in found] == NAMES
    return [line for check in found for line in check.faults], [line for check in found for line in check.warnings]


def test_nothing_is_wrong() -> None:
    assert said(shown()) == ([], [])
    assert [check.found for check in checked(shown())] == [
        "550.90.07",
        "2 x NVIDIA L4",
        "24064 MiB free",
        "0 processes",
    ]
    assert {check.verdict for check in checked(shown())} == {"good"}
    assert said(shown(), made_with=0) == ([], [])  # seen where nobody promised any


@pytest.mark.parametrize("lacks", [DRIVER_MISSING, GPU_UNTAKEN])
def test_nothing_is_said_where_there_is_no_gpu(lacks: str) -> None:
    """Nor of one that no driver takes and nobody promised: a container need not have those of its host."""
    assert checked({"cuda": f"none: {lacks}", "idle_gpus": None}, made_with=0) == []
    assert checked({}, made_with=0) == []  # of an older workload


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        ({"cuda": f"none: {DRIVER_MISSING}"}, "node1 has no NVIDIA driver (libcuda.so.1): install one"),
        ({"cuda": f"none: {GPU_MISSING}"}, "node1 has an NVIDIA driver, but no GPU that it can use: take"),
        ({"cuda": f"none: {GPU_UNTAKEN}"}, "node1 has an NVIDIA GPU that no driver takes: install one for CUDA 12 or"),
        ({"cuda": f"none: {COMPILER_MISSING}"}, "node1 has no CUDA compiler: 'pip install"),
        ({"cuda": "found"}, "node1 cannot ask its GPUs (no nvidia-ml-py): install the pinned packages"),
    ],
)
def test_what_a_node_that_was_made_with_gpus_lacks_is_one_fault(machine: dict[str, Any], says: str) -> None:
    faults, warnings = said({"idle_gpus": None, **machine})
    assert len(faults) == 1
    assert says in faults[0]
    assert warnings == []


def test_what_a_node_lacks_that_was_made_without_is_a_warning() -> None:
    faults, (line,) = said({**shown(), "cuda": f"none: {COMPILER_MISSING}"}, made_with=0)
    assert faults == []
    assert line.startswith("node1 has no CUDA compiler: ")


def test_a_gpu_that_is_not_there() -> None:
    faults, _ = said(shown(), made_with=3)
    assert faults == ["node1 was made with 3 GPUs and shows 2: make it anew"]


def test_memory_that_is_held_and_processes_that_compute_are_warnings() -> None:
    faults, warnings = said(shown((0, 3), free_gib=2))
    assert faults == []
    held = "NVIDIA L4 has 2048 MiB free of 24576 MiB: end what holds the rest ('nvidia-smi' there names it)"
    assert warnings == [
        f"node1: its {held}",
        f"node1: its {held}",
        "node1: 3 processes compute on its NVIDIA L4: end them, or runs on it are marked",
    ]


def test_what_a_gpu_does_not_tell_is_no_fault() -> None:
    untold = ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetComputeRunningProcesses")
    assert said(shown(untold=untold)) == ([], [])
    one = {**shown(untold=untold)}
    one["idle_gpus"] = one["idle_gpus"][1:]
    *_, memory, alone = checked(one, made_with=1)
    assert [(check.found, check.verdict) for check in (memory, alone)] == [("not told", "not tried")] * 2
