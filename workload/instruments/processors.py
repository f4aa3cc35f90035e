"""The CPUs that this process may use (Linux): its affinity mask, which a cpuset narrows, and its groups' quota.

Standard library only, so that the operator's side can look at its own machine.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workload.instruments.cgroup import cpu_quota, cpuset

CPUS = Path("/sys/devices/system/cpu")
NUMA = Path("/sys/devices/system/node")


@dataclass(frozen=True)
class Processors:
    """CPUs that a process may use.

    Attributes:
        cpus: hardware threads of its mask, as the kernel numbers them.
        cores: physical cores that it can keep busy, the quota counted: at least 1.
        threads: hardware threads likewise.
        quota: CPU seconds a second that its groups allow, None without a limit.
        core_list: its cores as hwloc numbers them, "" where it has only a part of some core or the kernel does not
            say; None where it may use the whole machine.
    """

    cpus: tuple[int, ...]
    cores: int
    threads: int
    quota: float | None
    core_list: str | None

    def as_dict(self) -> dict[str, Any]:
        """As a record has it."""
        return {
            "cpus": kernel_list(self.cpus),
            "cores": self.cores,
            "threads": self.threads,
            "quota": self.quota,
            "core_list": self.core_list,
        }


def usable() -> Processors:
    """The CPUs that this process may use."""
    mask, quota = sorted(os.sched_getaffinity(0)), cpu_quota()
    cores = visible(machine_cores(), _numbers(cpuset()))
    ours = [core for core in cores if not core.isdisjoint(mask)] or [frozenset({cpu}) for cpu in mask]
    return Processors(
        cpus=tuple(mask),
        cores=max(1, math.ceil(min(len(ours), quota))),
        threads=max(1, math.ceil(min(len(mask), quota))),
        quota=None if math.isinf(quota) else quota,
        core_list=core_list(cores, mask),
    )


def visible(cores: Iterable[Collection[int]], allowed: Collection[int]) -> list[frozenset[int]]:
    """The cores as hwloc finds and numbers them: it leaves out what a control group's cpuset does not allow."""
    found = (frozenset(core) & frozenset(allowed) if allowed else frozenset(core) for core in cores)
    return [core for core in found if core]


def core_list(cores: Iterable[Collection[int]], mask: Iterable[int]) -> str | None:
    """The numbers of the cores that lie in the mask, "" where one does so in part; None where all do."""
    ours, numbered = set(mask), list(enumerate(map(set, cores)))
    inside = [number for number, core in numbered if core <= ours]
    if not inside or any(core & ours and not core <= ours for _, core in numbered):
        return ""
    return None if len(inside) == len(numbered) else kernel_list(inside)


def machine_cores() -> list[frozenset[int]]:
    """Hardware threads of each core of the machine, in the order in which hwloc numbers cores.

    That is by the first thread of whatever holds them, from the largest: package, die, cache, NUMA node. Empty if the
    kernel does not say.
    """
    found = {}
    nodes = [_numbers(_text(path)) for path in NUMA.glob("node[0-9]*/cpulist")]
    for cpu in _numbers(_text(CPUS / "online")):
        folder = CPUS / f"cpu{cpu}"
        core = _numbers(_text(folder / "topology/thread_siblings_list"))
        if cpu not in core:
            return []
        names = ("topology/package_cpus_list", "topology/core_siblings_list", "topology/die_cpus_list")
        holders = [_numbers(_text(folder / name)) for name in (*names, "cache/index3/shared_cpu_list")]
        holders = [holder for holder in (*holders, *nodes, core) if cpu in holder]
        found[core] = tuple(min(holder) for holder in sorted(holders, key=len, reverse=True))
    return sorted(found, key=found.__getitem__)


def kernel_list(numbers: Iterable[int]) -> str:
    """Numbers as the kernel lists them, for example 0-3,8."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][-1] == number - 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    return ",".join("-".join(map(str, span)) for span in spans)


def _numbers(text: str) -> frozenset[int]:
    """The numbers of a kernel's list; none of a malformed one."""
    try:
        spans = [[int(number) for number in part.split("-")] for part in text.split(",")]
    except ValueError:
        return frozenset()
    return frozenset(number for span in spans for number in range(span[0], span[-1] + 1))


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
