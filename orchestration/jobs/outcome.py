"""How a run ended: outcome and reason from the exit status, the measurement and the evidence. Pure."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestration.jobs.evidence import Ending, gather
from orchestration.jobs.executor import Traces
from orchestration.jobs.launchers.launcher import KilledRank, LaunchEvidence
from workload.record import outcomes as record


@dataclass(frozen=True)
class Reading:
    """What an experiment read in the measurement of a run.

    `missing` says why there is no valid `document`; `wrong` says what is wrong with its answer, and `no_metric` what of
    it cannot be read, if anything. `exit_status` is that of a run that went well. `killed` is a rank that a signal
    ended, according to the document: launchers do not always name one.
    """

    document: Mapping[str, Any] | None
    missing: str = ""
    wrong: str = ""
    no_metric: str = ""
    exit_status: int = 0
    killed: KilledRank | None = None


@dataclass(frozen=True)
class Verdict:
    """A record's outcome, the reason in words, and what proves it."""

    outcome: str
    reason: str
    evidence: dict[str, Any]


def ended_well(exit_status: int | None, reading: Reading, launch: LaunchEvidence) -> bool:
    """True if launcher and measurement both report success; the answer may still be wrong."""
    return exit_status == reading.exit_status and reading.document is not None and not launch.lost_daemon


def without_teardown(
    launch: LaunchEvidence, exit_status: int | None, reading: Reading, lost: Sequence[str]
) -> LaunchEvidence:
    """What a launcher proves in a Slurm job, which knows the nodes that it lost: a whole run's last words do not count.

    Daemons that end may each say that they lost another.
    """
    bare = replace(launch, lost_daemon=False, lost_nodes=())
    return bare if not lost and ended_well(exit_status, reading, bare) else launch


def classify(  # noqa: PLR0911  one return a row of the table of outcomes
    ending: Ending, launch: LaunchEvidence, reading: Reading, log: str
) -> Verdict:
    """The outcome of a run that ended; `log` is the end of what its launcher and ranks printed."""
    if reading.killed is not None and (launch.killed is None or launch.killed.rank is None):
        launch = replace(launch, killed=reading.killed)
    evidence, by_rank = gather(ending, launch, log)
    status = ending.exit_status

    def verdict(outcome: str, reason: str) -> Verdict:
        return Verdict(outcome, reason, evidence)

    if ended_well(status, reading, launch):
        if reading.wrong:
            return verdict(record.WRONG_ANSWER, reading.wrong)
        return verdict(record.NO_METRIC, reading.no_metric) if reading.no_metric else verdict(record.OK, "")
    if evidence["oom_kills"]:
        where = ", ".join(evidence["oom_kills"])
        return verdict(record.OUT_OF_MEMORY, f"the kernel killed {by_rank or 'a process'} for memory on {where}")
    if evidence["lost_nodes"] or launch.lost_daemon:
        return verdict(record.NODE_LOST, _lost(launch.program, evidence["lost_nodes"], ending.traces))
    if ending.timed_out:
        return verdict(record.TIMEOUT, "the run passed its limit and was ended")
    if launch.not_started is not None and (status is None or reading.document is None):
        return verdict(record.LAUNCH_FAILED, ending.error or launch.not_started)
    if reading.wrong:
        return verdict(record.WRONG_ANSWER, reading.wrong)
    return verdict(
        record.CRASHED,
        ending.error or _crash(launch.program, status, by_rank or launch.program, evidence) or reading.missing[:300],
    )


def _lost(program: str, names: Sequence[str], traces: Traces) -> str:
    if silent := [name for name in names if name in traces.unreachable]:
        return f"{', '.join(silent)} fell silent during the run"
    return f"{program} lost {', '.join(names) or 'a node'}"


def _crash(program: str, status: int | None, who: str, evidence: Mapping[str, Any]) -> str:
    """Why a run without a valid measurement ended; empty if its launcher reports success."""
    if status == 0:
        return ""
    if evidence["signal"] is not None:
        return f"{who} was killed by {_signal_name(evidence['signal'])}"
    if evidence["exception"] is not None:
        return str(evidence["exception"]).splitlines()[0][:300]
    return f"{program} ended with status {status}"


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"
