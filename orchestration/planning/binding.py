"""What a run's ranks are bound to, chosen run by run. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

NONE, CORE, HWTHREAD = "none", "core", "hwthread"
WORDS = {
    CORE: "to cores of their own",
    HWTHREAD: "to hardware threads of their own, two of a core (marked SMT)",
    NONE: "not bound",
}


def binding_of(ranks_per_node: int, threads: int, cores: int, hardware_threads: int) -> str:
    """`core` where every thread of a node's ranks has a core, `hwthread` where it has a hardware thread, else `none`.

    `cores` and `hardware_threads` are a node's, the least of all nodes; both 0 where nodes share a machine's.
    """
    wanted = ranks_per_node * threads
    if wanted <= cores:
        return CORE
    return HWTHREAD if wanted <= hardware_threads else NONE


def described(bindings: Iterable[str]) -> str:
    """The line that says how the runs of a plan are bound."""
    counts = Counter(bindings)
    if len(counts) == 1:
        return f"binding: ranks {WORDS[next(iter(counts))]}, in every run"
    return "binding: ranks " + "; ".join(f"{WORDS[name]}: {counts[name]} runs" for name in WORDS if counts[name])
