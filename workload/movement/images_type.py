"""An image as an MPI datatype, so that counts are in images.

Open MPI takes counts and displacements below 2^31 elements; a batch of large pictures has more.
"""

from __future__ import annotations

from mpi4py import MPI


def image_type(element: MPI.Datatype, shape: tuple[int, ...]) -> MPI.Datatype:
    """A committed datatype of one contiguous (C, H, W) image; the caller frees it."""
    channels, height, width = shape
    row = element.Create_contiguous(width)
    plane = row.Create_contiguous(height)
    image = plane.Create_contiguous(channels)
    row.Free()
    plane.Free()
    return image.Commit()
