"""Exit status, measurement, log and out-of-memory counters -> outcome, reason and evidence of a run. Pure."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workload import record
from workload.record import MEASUREMENT_SHAPE, Run, SchemaError, check_shape, check_version

LOG_TAIL_CHARACTERS = 4000

_SIGNAL = re.compile(r"process rank (\d+) with PID \d+ on node (\S+) exited on\s+signal (\d+)")
_LOST_NODE = re.compile(r"lost communication with a remote daemon.*?Remote daemon:[^\n]*?on node (\S+)", re.DOTALL)
_LOST = "lost communication with a remote daemon"
_NOT_STARTED = (
    "There are not enough slots",
    "was unable to launch",
    "was unable to start",
    "could not find executable",
)
_EXCEPTION = re.compile(r"^(?:convscale: (rank \d+: .+)|((?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b.*))$", re.M)
_KERNEL = "/proc/vmstat"


@dataclass(frozen=True)
class Ending:
    """What the supervisor wrote in exit.json, for one node."""

    node: str
    exit_status: int | None
    error: str | None = None
    timed_out: bool = False
    oom_before: Mapping[str, int] = field(default_factory=dict)
    oom_after: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_document(cls, node: str, document: Mapping[str, Any]) -> Ending:
        names = ("exit_status", "error", "timed_out", "oom_before", "oom_after")
        return cls(node, **{name: document[name] for name in names})


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


def classify(  # noqa: PLR0911  one return a row of the table of outcomes
    ending: Ending, measurement: Mapping[str, Any] | None, missing: str, log: str
) -> Verdict:
    """The outcome of a run that ended. Where there is no measurement to trust, `missing` says why."""
    evidence, by_rank = _evidence(ending, log)
    status = ending.exit_status
    lost = _LOST in log

    def verdict(outcome: str, reason: str) -> Verdict:
        return Verdict(outcome, reason, evidence)

    if status == 0 and measurement is not None and not lost:
        if measurement["check"]["passed"]:
            return verdict(record.OK, "")
        return verdict(record.WRONG_ANSWER, _wrong(measurement["check"]))
    if evidence["oom_kills"]:
        return verdict(record.OUT_OF_MEMORY, f"the kernel killed {by_rank or 'a process'} for memory on {ending.node}")
    if lost:
        names = ", ".join(evidence["lost_nodes"]) or "a node"
        return verdict(record.NODE_LOST, f"mpirun lost {names}")
    if ending.timed_out:
        return verdict(record.TIMEOUT, "the run passed its limit and was ended")
    if status is None or (measurement is None and any(words in log for words in _NOT_STARTED)):
        return verdict(record.LAUNCH_FAILED, ending.error or _first_not_started(log))
    if measurement is not None and not measurement["check"]["passed"]:
        return verdict(record.WRONG_ANSWER, _wrong(measurement["check"]))
    return verdict(record.CRASHED, _crash(status, by_rank, evidence, missing))


def _evidence(ending: Ending, log: str) -> tuple[dict[str, Any], str]:
    """The record's evidence, and the rank that a signal killed, in words."""
    evidence, by_rank = no_evidence(), ""
    if found := _SIGNAL.search(log):
        evidence["signal"] = int(found[3])
        by_rank = f"rank {found[1]} on {found[2]}"
    elif ending.exit_status is not None and ending.exit_status > 128 and not ending.timed_out:
        evidence["signal"] = ending.exit_status - 128
    if exceptions := [found[1] or found[2] for found in _EXCEPTION.finditer(log)]:
        evidence["exception"] = exceptions[-1][:1000]
    kills = {
        path: ending.oom_after[path] - ending.oom_before[path] for path in ending.oom_after if path in ending.oom_before
    }
    # the kernel's own counter also counts what other groups lost: it proves something only beside a SIGKILL
    group_kills = max((count for path, count in kills.items() if path != _KERNEL), default=0)
    kernel_kills = kills.get(_KERNEL, 0) if evidence["signal"] == signal.SIGKILL else 0
    if killed := max(group_kills, kernel_kills):
        evidence["oom_kills"] = {ending.node: killed}
    evidence["lost_nodes"] = sorted(set(_LOST_NODE.findall(log)))
    return evidence, by_rank


def _wrong(check: Mapping[str, Any]) -> str:
    worst = check["worst_error_over_tolerance"]
    return (
        f"the answer is wrong: the worst row's error is {worst:.3g} times its tolerance"
        if worst
        else "the answer is wrong"
    )


def _first_not_started(log: str) -> str:
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
