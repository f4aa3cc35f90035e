"""The sizes of one convolution (Eq. 1 of the paper): float32, no padding, stride 1.

    y[b, o, h, w] = sum over c, i, j of x[b, c, h + i, w + j] * w[o, c, i, j]

Pure arithmetic. Standard library only, so that the operator's side can plan without MPI or numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

ITEM_BYTES = 4  # float32
MAX_SIZE = 2**31 - 1  # one axis: MPI counts and most array libraries stop here
MAX_BYTES = 2**50  # x, w and y together: 1 PiB, more than any cluster this tool describes


@dataclass(frozen=True)
class Problem:
    """Sizes of one convolution; every field a positive integer.

    Raises:
        ValueError: a size is not an integer, not positive or absurdly large, or the kernel is
            larger than the picture. The message names the field, the value and what is allowed.
    """

    batch: int
    in_channels: int
    out_channels: int
    height: int
    width: int
    kernel_size: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"{name} = {value!r} is not an integer: give a whole number of at least 1")
            if not 1 <= value <= MAX_SIZE:
                raise ValueError(f"{name} = {value} is out of range: give 1 to {MAX_SIZE}")
        if self.kernel_size > min(self.height, self.width):
            raise ValueError(
                f"kernel_size = {self.kernel_size} is larger than the {self.height} x {self.width} picture: "
                f"give at most {min(self.height, self.width)}"
            )
        if self.total_bytes > MAX_BYTES:
            raise ValueError(
                f"batch = {self.batch} of these pictures needs {self.total_bytes} bytes for x, w and y: "
                f"more than the {MAX_BYTES} bytes this tool plans for; lower a size"
            )

    @classmethod
    def from_dict(cls, sizes: Mapping[str, object]) -> Problem:
        """The problem of a document's six keys. Raises ValueError for missing or unknown keys."""
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in sizes]:
            raise ValueError(f"problem lacks {', '.join(missing)}")
        if unknown := [name for name in sizes if name not in names]:
            raise ValueError(f"problem has unknown keys {', '.join(map(str, unknown))}: it takes {', '.join(names)}")
        return cls(**dict(sizes))  # type: ignore[arg-type]  # __post_init__ refuses wrong types

    def as_dict(self) -> dict[str, int]:
        return dict(vars(self))

    @property
    def out_height(self) -> int:
        return self.height - self.kernel_size + 1

    @property
    def out_width(self) -> int:
        return self.width - self.kernel_size + 1

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        return (self.batch, self.in_channels, self.height, self.width)

    @property
    def w_shape(self) -> tuple[int, int, int, int]:
        return (self.out_channels, self.in_channels, self.kernel_size, self.kernel_size)

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        return (self.batch, self.out_channels, self.out_height, self.out_width)

    @property
    def x_image_bytes(self) -> int:
        """Bytes of one image of x."""
        return ITEM_BYTES * self.in_channels * self.height * self.width

    @property
    def y_image_bytes(self) -> int:
        """Bytes of one image of y."""
        return ITEM_BYTES * self.out_channels * self.out_height * self.out_width

    @property
    def x_bytes(self) -> int:
        return self.batch * self.x_image_bytes

    @property
    def y_bytes(self) -> int:
        return self.batch * self.y_image_bytes

    @property
    def w_bytes(self) -> int:
        return ITEM_BYTES * self.out_channels * self.in_channels * self.kernel_size**2

    @property
    def total_bytes(self) -> int:
        return self.x_bytes + self.w_bytes + self.y_bytes

    @property
    def y_elements(self) -> int:
        return self.y_bytes // ITEM_BYTES

    @property
    def flops(self) -> int:
        """Floating-point operations of one forward pass: a multiplication and an addition for each tap."""
        return 2 * self.y_elements * self.in_channels * self.kernel_size**2
