"""How the real mpirun places ranks where cores have two threads each: a topology of our own, and nothing starts."""

import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from orchestration.jobs.launchers.launcher import Hosts, Scratch
from orchestration.jobs.launchers.openmpi5 import OpenMpi5
from orchestration.jobs.launchers.placement import NodeCpus, Placement
from orchestration.planning.binding import binding_of

CORES, THREADS = 8, 2  # n2-highcpu-16
FLAGS = ("--display", "map", "--do-not-launch")


def topology():
    """hwloc's XML of one package; thread t of core c is CPU 2 c + t."""
    numbers = iter(range(1, 1000))

    def opening(kind, index, first, count):
        mask = hex(((1 << count) - 1) << first)
        sets = f'cpuset="{mask}" complete_cpuset="{mask}" nodeset="0x1" complete_nodeset="0x1"'
        return f'<object type="{kind}" os_index="{index}" {sets} gp_index="{next(numbers)}"'

    every = (0, 0, CORES * THREADS)
    allowed = f'allowed_cpuset="{hex((1 << CORES * THREADS) - 1)}" allowed_nodeset="0x1"'
    cores = "".join(
        opening("Core", core, core * THREADS, THREADS)
        + ">"
        + "".join(opening("PU", core * THREADS + t, core * THREADS + t, 1) + "/>" for t in range(THREADS))
        + "</object>"
        for core in range(CORES)
    )
    memory = opening("NUMANode", *every) + ' local_memory="1073741824"/>'
    package = f"{opening('Package', *every)}>{memory}{cores}</object>"
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE topology SYSTEM "hwloc2.dtd">\n<topology version="2.0">'
    return f"{head}{opening('Machine', *every)} {allowed}>{package}</object></topology>\n"


@pytest.mark.parametrize(("ranks", "threads"), [(8, 1), (9, 1), (10, 1), (16, 1), (4, 3), (8, 2)])
def test_no_core_is_idle_while_another_has_two_ranks(tmp_path, ranks, threads):
    cpus = NodeCpus(CORES, CORES * THREADS)
    binding = binding_of(ranks, threads, cpus)
    bound = places(tmp_path, Placement(ranks, 1, ranks, threads, binding), cpus)
    used = [cpu for one in bound for cpu in one]
    if binding == "hwthread":
        assert len(used) == len(set(used)) == ranks * threads  # no two ranks share a thread
    if threads == 1:
        assert len({cpu // THREADS for cpu in used}) == min(ranks, CORES)


@pytest.mark.parametrize("binding", ["core", "hwthread"])
def test_ranks_stay_on_the_cores_that_they_may_use(tmp_path, binding):
    ranks = 2 if binding == "core" else 4
    cpus = NodeCpus(2, 4, core_list="3,6")
    bound = places(tmp_path, Placement(ranks, 1, ranks, 1, binding), cpus)
    assert {cpu // THREADS for one in bound for cpu in one} == {3, 6}


def places(tmp_path, placement, node_cpus):
    """The CPUs that mpirun would bind each rank to."""
    (tmp_path / "topology.xml").write_text(topology())
    (tmp_path / "hosts").write_text(f"localhost slots={CORES * THREADS}\n")
    hosts = Hosts(python=PurePosixPath(sys.executable), cpus=node_cpus, hostfile=PurePosixPath(tmp_path / "hosts"))
    command = OpenMpi5().command(
        placement,
        hosts,
        Scratch(session=PurePosixPath(tmp_path), shared_memory=PurePosixPath(tmp_path)),
        [
            *["--display", "map", "--do-not-launch", "--prtemca", "hwloc_use_topo_file"],
            str(tmp_path / "topology.xml"),
            "true",
        ],
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(Path.home())} | dict(command.environment)
    done = subprocess.run(command.argv, env=environment, capture_output=True, text=True, timeout=600, check=False)
    bound = [cpus(words) for words in re.findall(r"Binding: package\[0\]\[(\S+)\]", done.stdout)]
    assert len(bound) == placement.ranks, done.stdout + done.stderr
    return bound


def cpus(words):
    """The CPUs in `core:L0`, `hwt:L0-2` and the like."""
    kind, _, listed = words.partition(":")
    found = []
    for part in listed.replace("L", "").split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found if kind == "hwt" else [core * THREADS + t for core in found for t in range(THREADS)]
