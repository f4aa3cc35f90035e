"""Where finished y goes when a run saves it: one .npy that every rank writes its parts of, or a shard a node.

In a folder that all nodes see, each rank writes its blocks straight into `y.npy` with MPI-IO. Where each
node sees its own, the node's ranks write one `shard-<node>.npy` and its leader a `manifest-<node>.json`;
`python -m workload.merge` puts them together and proves them whole.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from workload.domain.grid import Block
from workload.domain.problem import Problem
from workload.movement.datatypes import part_type, run_type
from workload.movement.nodes import node_of
from workload.record.files import write_json
from workload.record.schema import SCHEMA_VERSION

Float32 = NDArray[np.float32]
WHOLE = "y.npy"


class Output:
    """A sink that writes files into `folder`. `begin` and `end` are called by all ranks, off the clock."""

    def __init__(self, folder: Path, options: Mapping[str, int | str | bool] | None = None) -> None:
        self._folder = folder
        self._options = options or {}

    def begin(self, comm: MPI.Intracomm, problem: Problem, blocks: list[Block]) -> None:
        """Makes the files that `blocks`, this rank's finished output, will be written to. Raises OSError."""
        self._problem = problem
        self._blocks = blocks
        self._node = node_of(comm, self._options)
        self._node_name = str(self._node.bcast(comm.rank, root=0))
        self._whole = _is_shared(comm, self._folder)
        if self._whole:
            self._path = self._folder / WHOLE
            if comm.rank == 0:
                _make_npy(self._path, problem.y_shape)
            self._origin = _header_bytes(problem.y_shape)
            self._offsets: list[int] = []
        else:
            self._plan_shard()
        comm.Barrier()
        self._file = MPI.File.Open(MPI.COMM_SELF, str(self._path), MPI.MODE_WRONLY)

    def __call__(self, block: Block, y: Float32) -> None:
        """Writes a finished block, or a run of images of an announced one, where it belongs."""
        if self._whole:
            place, origin = part_type(self._problem.y_shape, block.y_spans), self._origin
        else:
            place, origin = run_type(y.size), self._origin + 4 * self._shard_offset(block)
        kind = run_type(y.size)
        contiguous = np.ascontiguousarray(y)
        try:
            self._file.Set_view(origin, MPI.FLOAT, place)
            self._file.Write_at(0, [contiguous, 1, kind])
        except MPI.Exception as error:
            raise OSError(f"{self._path}: y was not written: {error.Get_error_string()}") from error
        finally:
            place.Free()
            kind.Free()

    def end(self) -> None:
        """Closes the files; node leaders write their shards' manifests."""
        self._file.Close()
        self._node.Barrier()
        if not self._whole:
            entries = self._node.gather(self._manifest_entries(), root=0)
            if entries is not None:
                manifest = {
                    "schema_version": SCHEMA_VERSION,
                    "problem": self._problem.as_dict(),
                    "shard": self._path.name,
                    "blocks": [entry for each in entries for entry in each],
                }
                write_json(self._folder / f"manifest-{self._node_name}.json", manifest)
        self._node.Free()

    def _plan_shard(self) -> None:
        """The blocks of the node's ranks lie one after the other, in rank order."""
        sizes = self._node.allgather([block.y_elements for block in self._blocks])
        start = sum(sum(each) for each in sizes[: self._node.rank])
        self._offsets = [start + sum(block.y_elements for block in self._blocks[:n]) for n in range(len(self._blocks))]
        total = sum(sum(each) for each in sizes)
        self._path = self._folder / f"shard-{self._node_name}.npy"
        self._origin = _header_bytes((total,))
        if self._node.rank == 0:
            _make_npy(self._path, (total,))

    def _shard_offset(self, block: Block) -> int:
        """Elements before the block, or the run of an announced block's images, in the shard."""
        for announced, offset in zip(self._blocks, self._offsets, strict=True):
            if announced.y_spans[1:] == block.y_spans[1:] and announced.batch.contains(block.batch):
                before = block.batch.start - announced.batch.start
                return offset + before * math.prod(announced.y_shape[1:])
        raise ValueError(f"the output block {block.as_dict()} was handed over, but never announced")

    def _manifest_entries(self) -> list[dict[str, Any]]:
        shard = np.load(self._path, mmap_mode="r", allow_pickle=False)
        entries = []
        for block, offset in zip(self._blocks, self._offsets, strict=True):
            part = shard[offset : offset + block.y_elements]
            spans = [[span.start, span.stop] for span in block.y_spans]
            entries.append({"y": spans, "offset": offset, "sha256": hashlib.sha256(part.tobytes()).hexdigest()})
        return entries


def _is_shared(comm: MPI.Intracomm, folder: Path) -> bool:
    """True if all ranks see the root's folder: by a file that the root makes there."""
    token = folder / ".convscale-shared"
    if comm.rank == 0:
        token.touch()
    comm.Barrier()
    seen = bool(comm.allreduce(token.exists(), op=MPI.LAND))
    if comm.rank == 0:
        token.unlink()
    return seen


def _header(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def _header_bytes(shape: tuple[int, ...]) -> int:
    return len(_header(shape))


def _make_npy(path: Path, shape: tuple[int, ...]) -> None:
    """A .npy of zeros that takes no space yet."""
    with path.open("wb") as file:
        file.write(_header(shape))
        file.truncate(_header_bytes(shape) + 4 * math.prod(shape))
