"""Reads the metrics of a program's run from its output and its files: `python -m workload.agent.metrics < request`.

The request is a JSON object with `metrics`, `success` (a pattern or null), `log` and `folder`; the answer is one too. A
process of its own, so that a pattern that never comes to an end can be ended.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workload.record.numbers import compile_pattern, parse_number

TAIL_BYTES = 16 * 2**20
FILE_BYTES = 64 * 2**20
# how programs say that they are alone: what each rank of N prints where it was started by another MPI than its own
_ALONE = re.compile(
    rb"\b(?:rank|process|task|proc)\w*\s+0\s+(?:of|/|out of)\s+1\b"
    rb"|\b(?:n?ranks?|np|nprocs?|comm_?size|n?tasks|processes|number of (?:mpi )?(?:ranks|processes|tasks))"
    rb"\s*[:=]?\s+1\b"
    rb"|\b1\s+(?:MPI\s+)?(?:ranks?|process(?:es)?|tasks?)\b",
    re.IGNORECASE,
)


def read_all(request: Mapping[str, Any]) -> dict[str, Any]:
    """Values by metric with how often each matched, what is missing and why, and whether success was printed."""
    metrics, missing = [], []
    for metric in request["metrics"]:
        try:
            value, matches = read_one(metric, Path(request["log"]), Path(request["folder"]))
            metrics.append({"name": metric["name"], "value": value, "matches": matches})
        except ValueError as error:
            missing.append(f"{metric['name']}: {error}")
    pattern = request["success"]
    text = None if pattern is None else re.compile(pattern.encode())
    lines = list(tail_lines(Path(request["log"])))
    return {
        "metrics": metrics,
        "missing": missing,
        "succeeded": text is None or any(text.search(line) for line in lines),
        "alone": sum(_ALONE.search(line) is not None for line in lines),
    }


def read_one(metric: Mapping[str, Any], log: Path, folder: Path) -> tuple[float, int]:
    """A metric's value, and how often it stands there. Raises ValueError saying why there is none."""
    path = log if metric["file"] is None else inside(folder, metric["file"])
    if not path.is_file():
        raise ValueError(f"the run wrote no {metric['file'] or 'output'}")
    if metric["json"] is not None:
        return from_json(path, metric["json"]), 1
    if metric["csv"] is not None:
        return from_csv(path, metric["csv"])
    pattern, last, count = compile_pattern(metric["pattern"]), None, 0
    for line in tail_lines(path):
        for found in pattern.finditer(line):
            last, count = found[1], count + 1
    if last is None:
        raise ValueError(f"{metric['pattern']!r} is nowhere in {metric['file'] or 'the output'}")
    return parse_number(last.decode(errors="replace")), count


def tail_lines(path: Path) -> Iterator[bytes]:
    """The lines of the file's last 16 MiB; NULs are dropped, as launchers put some between lines."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - TAIL_BYTES))
        if size > TAIL_BYTES:
            file.readline()
        for line in file:
            yield line.replace(b"\0", b"").rstrip(b"\r\n")


def from_json(path: Path, place: str) -> float:
    """The number at a dotted path, list items by their index, -1 the last. Raises ValueError."""
    try:
        value = json.loads(_whole(path))
        for key in place.split("."):
            value = value[int(key)] if isinstance(value, list) else value[key]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise ValueError(f"{path.name} has no {place} ({type(error).__name__})") from error
    if isinstance(value, str):
        return parse_number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{place} of {path.name} is no number")
    return parse_number(repr(value))


def from_csv(path: Path, column: str) -> tuple[float, int]:
    """The last row's number under a header, and how many rows there are. Raises ValueError."""
    rows = list(csv.DictReader(_whole(path).decode(errors="replace").splitlines(), skipinitialspace=True))
    if not rows or rows[-1].get(column) is None:
        raise ValueError(f"{path.name} has no column {column} with a row under it")
    return parse_number(rows[-1][column]), len(rows)


def inside(folder: Path, name: str) -> Path:
    """The file of the run's folder. Raises ValueError where a link leads out of it."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name} lies outside the run's folder")
    return path


def _whole(path: Path) -> bytes:
    if path.stat().st_size > FILE_BYTES:
        raise ValueError(f"{path.name} has more than {FILE_BYTES >> 20} MiB")
    return path.read_bytes()


if __name__ == "__main__":
    json.dump(read_all(json.load(sys.stdin)), sys.stdout)
