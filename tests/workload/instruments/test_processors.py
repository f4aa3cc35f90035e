"""CPUs that a process may use, on machines that the tests describe and on this one."""

import os
import subprocess
import sys

import pytest

from tests.orchestration.support import ROOT
from workload.instruments import processors
from workload.instruments.processors import core_list, kernel_list, machine_cores, usable

PAIRS = [{0, 4}, {1, 5}, {2, 6}, {3, 7}]  # four cores of two threads


@pytest.mark.parametrize(
    ("cores", "mask", "listed"),
    [
        (PAIRS, range(8), None),
        (PAIRS, [1, 5, 2, 6], "1-2"),
        (PAIRS, [0, 4, 3, 7], "0,3"),
        (PAIRS, [0, 1], ""),  # half of each core
        ([{0}, {1}], [1], "1"),
        ([], [0], ""),  # the kernel does not say
    ],
)
def test_cores_that_lie_in_the_mask(cores, mask, listed):
    assert core_list(cores, mask) == listed


def test_numbers_as_the_kernel_lists_them():
    assert kernel_list([8, 0, 1, 2, 5, 4]) == "0-2,4-5,8"
    assert kernel_list([]) == ""


def describe_machine(folder, packages):
    """A folder like /sys/devices/system/cpu; `packages` hold cores, which hold CPUs."""
    cpus = sorted(cpu for package in packages for core in package for cpu in core)
    (folder / "online").write_text(f"{cpus[0]}-{cpus[-1]}\n")
    for package in packages:
        together = kernel_list(cpu for core in package for cpu in core)
        for core in package:
            for cpu in core:
                topology = folder / f"cpu{cpu}" / "topology"
                topology.mkdir(parents=True)
                (topology / "thread_siblings_list").write_text(kernel_list(core) + "\n")
                (topology / "core_siblings_list").write_text(f"{together}\n")


def test_cores_are_numbered_package_by_package(tmp_path, monkeypatch):
    """As hwloc does it, also where the kernel numbers CPUs in turn over two packages."""
    describe_machine(tmp_path, [[[0, 4], [2, 6]], [[1, 5], [3, 7]]])
    monkeypatch.setattr(processors, "CPUS", tmp_path)
    monkeypatch.setattr(processors, "NUMA", tmp_path / "none")
    assert machine_cores() == [{0, 4}, {2, 6}, {1, 5}, {3, 7}]


def test_a_kernel_that_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(processors, "CPUS", tmp_path)
    assert machine_cores() == []


def test_a_quota_keeps_cores_idle(monkeypatch):
    monkeypatch.setattr(processors, "cpu_quota", lambda: 0.5)
    found = usable()
    assert (found.cores, found.threads, found.quota) == (1, 1, 0.5)


def test_a_mask_is_what_counts():
    last = max(os.sched_getaffinity(0))
    program = "from workload.instruments.processors import usable; print(usable().as_dict()['cpus'])"
    words = ["taskset", "--cpu-list", str(last), sys.executable, "-c", program]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(last)


def test_cores_that_a_cpuset_leaves_out_are_not_counted():
    """hwloc numbers what is left from 0: of four cores, two are all that there is."""
    cores = [{0}, {1}, {2}, {3}]
    assert processors.visible(cores, []) == cores
    left = processors.visible(cores, [1, 3])
    assert left == [{1}, {3}]
    assert processors.core_list(left, [1, 3]) is None
    assert processors.core_list(left, [3]) == "1"
