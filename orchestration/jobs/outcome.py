"""Exit status, measurement, log and out-of-memory counters -> outcome, reason and evidence of a run. Pure."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.jobs.executor import Traces
from workload.record import outcomes
from workload.record.run import Run
from workload.record.schema import MEASUREMENT_SHAPE, SchemaError, check_shape, check_version

LOG_TAIL_CHARACTERS = 4000

_SIGNAL = re.compile(r"process rank (\d+) with PID \d+ on node (\S+) exited on\s+signal (\d+)")
# what Open MPI's launcher, or the ssh that it started, says when a node is killed, paused or cut off
_LOST_NODES = (
    re.compile(r"lost communication with a remote daemon.*?Remote daemon:[^\n]*?on node (\S+)", re.DOTALL),
    re.compile(r"^Timeout, server (\S+) not responding", re.M),
    re.compile(r"^Connection to (\S+) closed by remote host", re.M),
)
_LOST = "lost communication with a remote daemon"
_UNREPORTED = re.compile(r"daemon failed to report back after being spawned.*?Remote host:\s+(\S+)", re.DOTALL)
_SSH_REFUSED = re.compile(
    r"^(Host key verification failed|No \S+ host key is known|.*: Permission denied|ssh: (?:connect|Could not)).*$",
    re.M,
)
_NOT_STARTED = (
    "There are not enough slots",
    "was unable to launch",
    "was unable to start",
    "could not find executable",
    "failed to report back after being spawned",
)
_EXCEPTION = re.compile(r"^(?:convscale: (rank \d+: .+)|((?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b.*))$", re.M)
_KERNEL = "/proc/vmstat"
_SIGNALS = {int(number) for number in signal.Signals}  # mpirun's 255 is no signal 127


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


@dataclass(frozen=True)
class Verdict:
    """A record's outcome, the reason in words, and what proves it."""

    outcome: str
    reason: str
    evidence: dict[str, Any]


def no_evidence() -> dict[str, Any]:
    """The record's `evidence` where nothing happened."""
    return {"oom_kills": {}, "signal": None, "exception": None, "lost_nodes": []}


def log_tail(log: bytes) -> str:
    """The last 4,000 characters of what mpirun printed; it may hold NULs and bytes of no encoding."""
    return log.decode(errors="replace").replace("\0", "")[-LOG_TAIL_CHARACTERS:]


def read_measurement(content: bytes | None, run: Run) -> Mapping[str, Any]:
    """The measurement that a run left. Raises SchemaError: none, cut short, another run's, or of another shape."""
    if content is None:
        raise SchemaError("the run left no measurement")
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"the measurement is not whole JSON ({error})") from error
    if not isinstance(document, dict):
        raise SchemaError("the measurement is no JSON object")
    check_version(document, "the measurement")
    if document.get("run_id") != run.run_id:
        raise SchemaError(f"the measurement is of run {str(document.get('run_id'))[:40]}, not of {run.run_id}")
    check_shape(document, MEASUREMENT_SHAPE, "the measurement")
    if Run.from_dict(document["run"]).run_id != run.run_id:
        raise SchemaError("the measurement holds another run than its id says")
    if not document["repeats"]:
        raise SchemaError("the measurement holds no repeat")
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def lost_daemon(log: str) -> bool:
    """True where mpirun lost a node's daemon: its exit status may well be 0 then."""
    return _LOST in log


def classify(  # noqa: PLR0911  one return a row of the table of outcomes
    ending: Ending, measurement: Mapping[str, Any] | None, missing: str, log: str
) -> Verdict:
    """The outcome of a run that ended. Where there is no measurement to trust, `missing` says why."""
    evidence, by_rank = _evidence(ending, log)
    status = ending.exit_status

    def verdict(outcome: str, reason: str) -> Verdict:
        return Verdict(outcome, reason, evidence)

    if status == 0 and measurement is not None and not lost_daemon(log):
        if measurement["check"]["passed"]:
            return verdict(outcomes.OK, "")
        return verdict(outcomes.WRONG_ANSWER, _wrong(measurement["check"]))
    if evidence["oom_kills"]:
        where = ", ".join(evidence["oom_kills"])
        return verdict(outcomes.OUT_OF_MEMORY, f"the kernel killed {by_rank or 'a process'} for memory on {where}")
    if evidence["lost_nodes"] or lost_daemon(log):
        return verdict(outcomes.NODE_LOST, _lost(evidence["lost_nodes"], ending.traces))
    if ending.timed_out:
        return verdict(outcomes.TIMEOUT, "the run passed its limit and was ended")
    if status is None or (measurement is None and any(words in log for words in _NOT_STARTED)):
        return verdict(outcomes.LAUNCH_FAILED, ending.error or _first_not_started(log))
    if measurement is not None and not measurement["check"]["passed"]:
        return verdict(outcomes.WRONG_ANSWER, _wrong(measurement["check"]))
    return verdict(outcomes.CRASHED, ending.error or _crash(status, by_rank, evidence, missing))


def _evidence(ending: Ending, log: str) -> tuple[dict[str, Any], str]:
    """The record's evidence, and the rank that a signal killed, in words."""
    evidence, by_rank, where = no_evidence(), "", ""
    if found := _SIGNAL.search(log):
        evidence["signal"] = int(found[3])
        where = ending.names.get(found[2], found[2])
        by_rank = f"rank {found[1]} on {where}"
    elif ending.exit_status is not None and not ending.timed_out and ending.exit_status - 128 in _SIGNALS:
        evidence["signal"] = ending.exit_status - 128
    if exceptions := [found[1] or found[2] for found in _EXCEPTION.finditer(log)]:
        evidence["exception"] = exceptions[-1][:1000]
    evidence["oom_kills"] = _oom_kills(ending, evidence, where)
    if evidence["oom_kills"]:
        before, after = _counters(ending)
        evidence["oom_counters"] = {
            node: {path: [before[node].get(path), count] for path, count in after[node].items()}
            for node in evidence["oom_kills"]
        }
    said = {ending.names.get(name, name) for pattern in _LOST_NODES for name in pattern.findall(log)}
    evidence["lost_nodes"] = sorted(said | set(ending.traces.unreachable))
    return evidence, by_rank


def _counters(ending: Ending) -> tuple[dict[str, Mapping[str, int]], dict[str, Mapping[str, int]]]:
    """The kernels' counters of every node that told them, before and after the run."""
    head = ending.names.get(ending.node, ending.node)
    return {**ending.traces.oom_before, head: ending.oom_before}, {**ending.traces.oom_after, head: ending.oom_after}


def _oom_kills(ending: Ending, evidence: Mapping[str, Any], where: str) -> dict[str, int]:
    """How many processes the kernel killed for memory during the run, by node; nodes without one are left out.

    `where` is the node on which mpirun saw a rank killed, where it saw one.
    """
    head = ending.names.get(ending.node, ending.node)
    before, after = _counters(ending)
    groups, kernel = {}, {}
    for node, counters in after.items():
        kills = {path: count - before[node][path] for path, count in counters.items() if path in before.get(node, {})}
        kernel[node] = kills.pop(_KERNEL, 0)
        groups[node] = max(kills.values(), default=0)
    if any(groups.values()):
        return {node: count for node, count in groups.items() if count}
    # the kernel's own counter also counts what other groups lost: it proves something only beside a SIGKILL, which
    # mpirun does not always tell of where it fell on another node
    killed = evidence["signal"] == signal.SIGKILL
    silent = evidence["signal"] is None and evidence["exception"] is None
    return {
        node: count
        for node, count in kernel.items()
        if count and ((killed and node == (where or head)) or (silent and node != head))
    }


def _lost(names: Sequence[str], traces: Traces) -> str:
    if silent := [name for name in names if name in traces.unreachable]:
        return f"{', '.join(silent)} fell silent during the run"
    return f"mpirun lost {', '.join(names) or 'a node'}"


def _wrong(check: Mapping[str, Any]) -> str:
    worst = check["worst_error_over_tolerance"]
    return (
        f"the answer is wrong: the worst row's error is {worst:.3g} times its tolerance"
        if worst
        else "the answer is wrong"
    )


def _first_not_started(log: str) -> str:
    if found := _UNREPORTED.search(log):
        refused = _SSH_REFUSED.search(log)
        why = f": {refused[0].strip()[:200]}" if refused else ""
        return f"mpirun could not start its daemon on {found[1]}{why}"
    lines = [line.strip() for line in log.splitlines() if any(words in line for words in _NOT_STARTED)]
    return f"mpirun could not start: {lines[0]}" if lines else "mpirun could not start"


def _crash(status: int, by_rank: str, evidence: Mapping[str, Any], missing: str) -> str:
    if evidence["signal"] is not None and status != 0:
        return f"{by_rank or 'mpirun'} was killed by {_signal_name(evidence['signal'])}"
    if evidence["exception"] is not None and status != 0:
        return str(evidence["exception"]).splitlines()[0][:300]
    if status == 0:
        return missing[:300]
    return f"mpirun ended with status {status}"


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
