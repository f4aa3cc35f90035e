"""Jobs of commands on the head beside the runs, as a build is one: how they ended, and their log brought home."""

from __future__ import annotations

import json
from pathlib import Path

from orchestration.jobs.evidence import log_text
from orchestration.jobs.job import LOG, JobRequest
from orchestration.jobs.loop import JobLoop
from workload.agent.supervise import EXIT

LAST_LINES = 8
LIMIT_BYTES = 2**20


def carry_out(
    loop: JobLoop, job: Path, request: JobRequest, log: Path, product: tuple[str, Path] | None = None
) -> tuple[int | None, str]:
    """Exit status, and the log's last lines in one.

    `log` is where the log goes; `product` is a file of the job that is brought home after status 0, and its place
    here. Raises HeadLostError, OSError.
    """

    def collect(job: Path) -> tuple[int | None, str]:
        executor = loop.executor
        ended = json.loads(executor.fetch(job, EXIT, LIMIT_BYTES) or b"{}")
        status = ended.get("exit_status")
        log.parent.mkdir(parents=True, exist_ok=True)
        executor.fetch_file(job, LOG, log)
        if product is not None and status == 0:
            executor.fetch_file(job, *product)
        late = f"ended after {request.timeout_s:.0f} s; " if ended.get("timed_out") else ""
        return status, f"{late}{ended.get('error') or last_lines(executor.fetch_tail(job, LOG, 2**16))}"

    return loop.carry_out(job, request, collect)


def last_lines(log: bytes) -> str:
    """The last lines of a log that say something, in one."""
    lines = [line.strip() for line in log_text(log).splitlines() if line.strip()]
    return " | ".join(lines[-LAST_LINES:])
