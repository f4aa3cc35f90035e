"""Puts the shards of a run's output together, and proves the result whole: `python -m workload.merge FOLDER OUT`.

FOLDER holds every node's `shard-*.npy` and `manifest-*.json`. Every element of y must lie in exactly one
block, and every block must have the digest that its node took of it.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from workload.domain.grid import Block, Span, covers_exactly, whole
from workload.domain.problem import Problem
from workload.record.files import read_json
from workload.record.schema import SchemaError


def merge(folder: Path, out: Path) -> Problem:
    """Writes y, float32 of the problem's output shape, as one .npy, whole or not at all.

    Raises SchemaError where manifests are damaged, disagree, or do not cover y exactly once, or where a
    block's digest is another; OSError where a file cannot be read or written.
    """
    manifests = [read_json(path) for path in sorted(folder.glob("manifest-*.json"))]
    if not manifests:
        raise SchemaError(f"{folder}: holds no manifest-*.json: it is not a folder of shards")
    try:
        return _merge(folder, out, manifests)
    except (KeyError, TypeError, IndexError) as error:
        raise SchemaError(f"{folder}: a manifest is damaged: {type(error).__name__} {error}") from error


def _merge(folder: Path, out: Path, manifests: list[dict[str, Any]]) -> Problem:
    problem = Problem.from_dict(manifests[0]["problem"])
    if any(manifest["problem"] != manifests[0]["problem"] for manifest in manifests):
        raise SchemaError(f"{folder}: the manifests are of different problems")
    blocks = [_block(problem, entry) for manifest in manifests for entry in manifest["blocks"]]
    if not covers_exactly(problem, blocks):
        raise SchemaError(
            f"{folder}: the {len(blocks)} blocks do not cover y exactly once: a shard is missing or double"
        )
    with tempfile.NamedTemporaryFile(prefix=f".{out.name}.", suffix=".npy", dir=out.parent, delete=False) as file:
        partial = Path(file.name)
    try:
        y = np.lib.format.open_memmap(partial, "w+", np.float32, problem.y_shape)
        for manifest in manifests:
            _copy(folder, problem, manifest, y)
        y.flush()
        partial.chmod(0o644)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return problem


def _copy(folder: Path, problem: Problem, manifest: dict[str, Any], y: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    name = manifest["shard"]
    if not isinstance(name, str) or Path(name).name != name:
        raise SchemaError(f"{folder}: the shard's name {name!r} is no plain file name")
    shard = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    for entry in manifest["blocks"]:
        block = _block(problem, entry)
        part = shard[entry["offset"] : entry["offset"] + block.y_elements]
        if part.dtype != np.float32 or hashlib.sha256(part.tobytes()).hexdigest() != entry["sha256"]:
            raise SchemaError(f"{folder / name}: the block at {entry['offset']} is not what its node wrote")
        y[tuple(slice(span.start, span.stop) for span in block.y_spans)] = part.reshape(block.y_shape)


def _block(problem: Problem, entry: dict[str, Any]) -> Block:
    batch, out_channel, row, column = (Span(int(start), int(stop)) for start, stop in entry["y"])
    return replace(whole(problem), batch=batch, out_channel=out_channel, row=row, column=column)


def main() -> None:
    parser = argparse.ArgumentParser(prog="workload.merge", description="Puts the shards of a run's output together.")
    parser.add_argument("folder", type=Path, help="holds every node's shard-*.npy and manifest-*.json")
    parser.add_argument("out", type=Path, help="the .npy to write")
    arguments = parser.parse_args()
    try:
        problem = merge(arguments.folder, arguments.out)
    except (OSError, ValueError) as error:
        print(f"convscale: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    print(f"{arguments.out}: y of shape {problem.y_shape}, every element once, every digest right")


if __name__ == "__main__":
    main()
