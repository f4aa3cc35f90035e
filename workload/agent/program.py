"""Carries the launcher of a person's program through: `python -m workload.agent.program JOB_FOLDER RUN_FOLDER -- ARGV`.

The supervisor starts it in the launcher's place. Keeps the end of what is printed, takes out what the ranks' parents
say, and afterwards writes the measurement: metrics, ranks, kept files. Ends with the launcher's exit status.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workload.agent import metrics
from workload.agent.output import BoundedLog, OutputPipe
from workload.agent.rank_parent import MARK
from workload.record.arithmetic import evaluate
from workload.record.digest import file_digest
from workload.record.files import read_json, write_json
from workload.record.mpip import find_report, parse_report
from workload.record.program import VERSION

LOG, MEASUREMENT, RUN = "log", "measurement.json", "run.json"
PATTERNS_S = 20.0
KEEP_BYTES = 2**30
OURS = ("python", "numpy", "blas", "simd")  # of a node: what the convolution uses, and no other program


def carry_through(folder: Path, where: Path, argv: Sequence[str]) -> int:
    """Runs the launcher and writes what was measured. Raises OSError, KeyError, SchemaError."""
    job = read_json(folder / RUN)
    log = BoundedLog(folder / LOG, f"{MARK} {folder.name}")
    status = run(argv, log)
    log.close()
    write_json(folder / MEASUREMENT, measurement(folder, where, job, log))
    return status


def run(argv: Sequence[str], log: BoundedLog) -> int:
    """Starts the launcher, takes what it prints until it ends; returns 128 + n where signal n ended it."""
    pipe = OutputPipe(log)
    try:
        return pipe.run(argv)
    except OSError as error:
        log.write(f"convscale: {argv[0]}: {error.strerror}\n".encode())
        return 127
    finally:
        pipe.close()


def measurement(folder: Path, where: Path, job: Mapping[str, Any], log: BoundedLog) -> dict[str, Any]:
    """The measurement of a run that is over, however it ended."""
    run = job["run"]
    ranks = sorted((item for item in log.reports if "error" not in item), key=lambda item: int(item["rank"]))
    found = _metrics(folder / LOG, where, run)
    values = {item["name"]: item["value"] for item in found["metrics"]} | {"ranks": run["ranks"], **run["parameters"]}
    report = find_report(where)
    times, calls = ([], []) if report is None else parse_report(report)
    kept, lost = _keep(where, folder, run["keep"])
    wrong = [
        *(str(item["error"]) for item in log.reports if "error" in item),
        *_failed(run, found, values),
        *_alone(run, found),
    ]
    return {
        "schema_version": VERSION,
        "run_id": job["run_id"],
        "run": run,
        "metrics": found["metrics"],
        "ranks": [{key: value for key, value in item.items() if key not in ("load_1m", "steal_s")} for item in ranks],
        "mpi_times": times,
        "mpi_calls": calls,
        "check": {"passed": not wrong, "missing": [*found["missing"], *lost], "wrong": wrong},
        "kept": kept,
        "machines": _machines(job, ranks),
        "provenance": job["provenance"],
    }


def _metrics(log: Path, where: Path, run: Mapping[str, Any]) -> dict[str, Any]:
    """What workload.agent.metrics finds; where it comes to no end in time, nothing, and that."""
    request = {
        "metrics": run["metrics"],
        "success": run["success"].get("pattern"),
        "log": str(log),
        "folder": str(where),
    }
    command = [sys.executable, "-E", "-s", "-m", "workload.agent.metrics"]
    why = f"the patterns took longer than {PATTERNS_S:.0f} s on the output: make them simpler"
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter
            command, input=json.dumps(request), capture_output=True, text=True, timeout=PATTERNS_S, check=False
        )
        return dict(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        pass
    except ValueError:
        why = f"the metrics cannot be read ({(done.stderr.strip().splitlines() or ['?'])[-1]})"
    missing = [f"{metric['name']}: {why}" for metric in run["metrics"]] or [why]
    return {"metrics": [], "missing": missing, "succeeded": True, "alone": 0}


def _failed(run: Mapping[str, Any], found: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Which conditions of success do not hold."""
    wrong = []
    if not found["succeeded"]:
        wrong.append(f"{run['success']['pattern']!r} is nowhere in the output")
    for condition in run["success"].get("require", []):
        try:
            if not evaluate(condition, values):
                wrong.append(f"{condition} does not hold ({_named(condition, values)})")
        except ValueError as error:
            wrong.append(f"{condition} cannot be told ({error})")
    return wrong


def _named(condition: str, values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value:g}" if isinstance(value, float) else f"{name} = {value}"
                     for name, value in values.items() if name in condition)  # fmt: skip


def _alone(run: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Whether each rank took itself for the only one: the headline as often as there are ranks, or its own word."""
    ranks = run["ranks"]
    headline = next((metric for metric in run["metrics"] if metric["headline"]), None)
    matches = next((item["matches"] for item in found["metrics"] if headline and item["name"] == headline["name"]), 0)
    why = ""
    if ranks > 1 and found["alone"] >= ranks:
        why = f"{found['alone']} lines say that there is one rank"
    elif ranks > 1 and headline and headline["pattern"] and not headline["file"] and matches == ranks:
        why = f"{headline['name']} stands {matches} times in the output, once a rank"
    return (
        [f"{why}: the ranks ran alone, each the whole work, or all of them print it: let one rank print"] if why else []
    )


def _keep(where: Path, folder: Path, names: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Copies the kept outputs beside the measurement, as `kept-N`; what is not there is said."""
    kept, lost = [], []
    for index, name in enumerate(names):
        try:
            path = metrics.inside(where, name)
            size = path.stat().st_size
            if size > KEEP_BYTES:
                raise ValueError(f"{name} has {size} bytes, more than the {KEEP_BYTES} that are kept")
            shutil.copyfile(path, folder / f"kept-{index}")
            kept.append({"name": name, "bytes": size, "sha256": file_digest(path)})
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            lost.append(f"{name} is not kept: {why}")
    return kept, lost


def _machines(job: Mapping[str, Any], ranks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The nodes that the run used, with where each rank ran last, and the program's own MPI."""
    found = []
    for node in job["machines"]:
        machine = {key: value for key, value in node.items() if key not in OURS} | {"mpi": job["provenance"]["mpi"]}
        here = [item for item in ranks if item["node"] == machine["node"]]
        entry = {**machine, "rank_placement": [{"rank": r["rank"], "core": r["core"], "hwthread": None} for r in here]}
        if here:
            entry |= {"load_1m": here[0]["load_1m"], "steal_s": max(item["steal_s"] for item in here)}
        found.append(entry)
    return found


if __name__ == "__main__":
    sys.exit(carry_through(Path(sys.argv[1]).absolute(), Path(sys.argv[2]), sys.argv[4:]))
