"""What proves how a run ended: the launcher's words, exceptions in the log, out-of-memory counters. Pure."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.jobs.executor import Traces
from orchestration.jobs.launchers.launcher import LaunchEvidence

LOG_TAIL_CHARACTERS = 4000

_EXCEPTION = re.compile(r"^(?:convscale: (rank \d+: .+)|((?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b.*))$", re.M)
_KERNEL = "/proc/vmstat"
_SIGNALS = {int(number) for number in signal.Signals}  # a launcher's 255 is no signal 127


@dataclass(frozen=True)
class Ending:
    """What the supervisor wrote in exit.json, on the head, and what a failed run left on all nodes.

    `names` takes a node's own name or address to the inventory's.
    """

    node: str
    exit_status: int | None
    error: str | None = None
    timed_out: bool = False
    oom_before: Mapping[str, int] = field(default_factory=dict)
    oom_after: Mapping[str, int] = field(default_factory=dict)
    traces: Traces = field(default_factory=Traces)
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_document(cls, node: str, document: Mapping[str, Any], traces: Traces, names: Mapping[str, str]) -> Ending:
        keys = ("exit_status", "error", "timed_out", "oom_before", "oom_after")
        return cls(node, **{key: document[key] for key in keys}, traces=traces, names=names)

    def called(self, node: str) -> str:
        """The inventory's name of a node."""
        return self.names.get(node, node)


def no_evidence() -> dict[str, Any]:
    """The `evidence` of a record when nothing went wrong."""
    return {"oom_kills": {}, "signal": None, "exception": None, "lost_nodes": []}


def log_text(log: bytes) -> str:
    """The text that a launcher and its ranks printed, without NULs and undecodable bytes."""
    return log.decode(errors="replace").replace("\0", "")


def log_tail(log: bytes) -> str:
    """The last 4,000 characters of a log."""
    return log_text(log)[-LOG_TAIL_CHARACTERS:]


def gather(ending: Ending, launch: LaunchEvidence, log: str) -> tuple[dict[str, Any], str]:
    """The record's evidence, and the rank that a signal killed, in words."""
    evidence, by_rank, where = no_evidence(), "", ""
    if launch.killed is not None:
        evidence["signal"] = launch.killed.signal
        where = ending.called(launch.killed.node)
        by_rank = f"{'a rank' if launch.killed.rank is None else f'rank {launch.killed.rank}'} on {where}"
    elif ending.exit_status is not None and not ending.timed_out and ending.exit_status - 128 in _SIGNALS:
        evidence["signal"] = ending.exit_status - 128
    if exceptions := [found[1] or found[2] for found in _EXCEPTION.finditer(log)]:
        evidence["exception"] = exceptions[-1][:1000]
    evidence["oom_kills"] = {
        **Counter(ending.called(node) for node in launch.out_of_memory),
        **_oom_kills(ending, evidence, where),
    }
    if evidence["oom_kills"]:
        before, after = _counters(ending)
        evidence["oom_counters"] = {
            node: {path: [before[node].get(path), count] for path, count in after[node].items()}
            for node in evidence["oom_kills"]
            if node in before and node in after
        }
    said = {ending.called(name) for name in launch.lost_nodes}
    evidence["lost_nodes"] = sorted(said | set(ending.traces.unreachable))
    return evidence, by_rank


def _counters(ending: Ending) -> tuple[dict[str, Mapping[str, int]], dict[str, Mapping[str, int]]]:
    """The kernel counters of every node that reported them, before and after the run."""
    head = ending.called(ending.node)
    return {**ending.traces.oom_before, head: ending.oom_before}, {**ending.traces.oom_after, head: ending.oom_after}


def _oom_kills(ending: Ending, evidence: Mapping[str, Any], where: str) -> dict[str, int]:
    """How many processes the kernel killed for lack of memory during the run, by node; nodes without any are left out.

    `where` is the node on which the launcher saw a killed rank, if it saw one.
    """
    head = ending.called(ending.node)
    before, after = _counters(ending)
    groups, kernel = {}, {}
    for node, counters in after.items():
        kills = {path: count - before[node][path] for path, count in counters.items() if path in before.get(node, {})}
        kernel[node] = kills.pop(_KERNEL, 0)
        groups[node] = max(kills.values(), default=0)
    if any(groups.values()):
        return {node: count for node, count in groups.items() if count}
    # the kernel's own counter also counts what other groups lost: it proves something only beside a SIGKILL, which
    # the launcher does not always tell of where it fell on another node
    killed = evidence["signal"] == signal.SIGKILL
    silent = evidence["signal"] is None and evidence["exception"] is None
    return {
        node: count
        for node, count in kernel.items()
        if count and ((killed and node == (where or head)) or (silent and node != head))
    }
