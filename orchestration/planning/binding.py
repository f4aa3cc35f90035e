"""What a run's ranks are bound to, chosen run by run. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from orchestration.jobs.launchers.placement import NodeCpus

NONE, CORE, HWTHREAD = "none", "core", "hwthread"
WORDS = {
    CORE: "to cores of their own",
    HWTHREAD: "to hardware threads of their own, two of a core (marked SMT)",
    NONE: "not bound",
}


def binding_of(ranks_per_node: int, threads: int, cpus: NodeCpus) -> str:
    """`core` where every thread of a node's ranks has a core, `hwthread` where it has a hardware thread, else `none`.

    Also `none` where ranks cannot be bound without leaving the CPUs that they may use.
    """
    wanted = ranks_per_node * threads
    if not cpus.bindable:
        return NONE
    if wanted <= cpus.cores:
        return CORE
    return HWTHREAD if wanted <= cpus.threads else NONE


def described(bindings: Iterable[str]) -> str:
    """The line that says how the runs of a plan are bound."""
    counts = Counter(bindings)
    if len(counts) == 1:
        return f"binding: ranks {WORDS[next(iter(counts))]}, in every run"
    return "binding: ranks " + "; ".join(f"{WORDS[name]}: {counts[name]} runs" for name in WORDS if counts[name])
