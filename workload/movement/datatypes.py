"""Parts of float32 arrays as MPI datatypes, so that nothing is packed before it is sent.

Open MPI takes counts below 2^31 elements, and a batch of large pictures has more. So counts are of images or of whole
parts. Every function returns a committed datatype, which the caller frees.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpi4py import MPI

from workload.domain.grid import Span

MOST = 2**30  # elements in one plain count


def image_type(element: MPI.Datatype, shape: Sequence[int]) -> MPI.Datatype:
    """One contiguous (C, H, W) image."""
    channels, height, width = shape
    row = element.Create_contiguous(width)
    plane = row.Create_contiguous(height)
    image = plane.Create_contiguous(channels)
    row.Free()
    plane.Free()
    return image.Commit()


def run_type(elements: int, element: MPI.Datatype = MPI.FLOAT) -> MPI.Datatype:
    """`elements` contiguous elements, however many they are."""
    blocks, rest = divmod(elements, MOST)
    if blocks == 0:
        return element.Create_contiguous(rest).Commit()
    block = element.Create_contiguous(MOST)
    tail = element.Create_contiguous(rest)
    whole = MPI.Datatype.Create_struct([blocks, 1], [0, blocks * MOST * element.Get_size()], [block, tail])
    block.Free()
    tail.Free()
    return whole.Commit()


def part_type(shape: Sequence[int], spans: Sequence[Span]) -> MPI.Datatype:
    """The part of a float32 array of this shape that the spans cut out."""
    starts, sizes = [span.start for span in spans], [len(span) for span in spans]
    return MPI.FLOAT.Create_subarray(shape, sizes, starts).Commit()


def parts_type(shape: Sequence[int], parts: Sequence[Sequence[Span]]) -> MPI.Datatype:
    """Several parts of one float32 array, one after the other, as one message."""
    types = [part_type(shape, spans) for spans in parts]
    together = MPI.Datatype.Create_struct([1] * len(types), [0] * len(types), types)
    for each in types:
        each.Free()
    return together.Commit()
