"""A model of one convolution in the ONNX format, written out by hand: the onnx package is needed for nothing else.

Field numbers are those of onnx.proto (protocol buffers: a key is number << 3 | wire type, 0 a varint, 2 bytes).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLOAT = 1  # TensorProto.DataType
IR_VERSION, OPSET = 8, 13


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    """ValueInfoProto: a named float tensor of a shape."""
    dimensions = b"".join(_bytes(1, _number(1, size)) for size in shape)
    tensor = _number(1, FLOAT) + _bytes(2, dimensions)
    return _bytes(1, name) + _bytes(2, _bytes(1, tensor))


def convolution(x_shape: tuple[int, ...], w: NDArray[np.float32], y_shape: tuple[int, ...]) -> bytes:
    """ModelProto: y = Conv(x, w), no padding, stride 1, the weights inside."""
    node = _bytes(1, "x") + _bytes(1, "w") + _bytes(2, "y") + _bytes(4, "Conv")
    weights = b"".join(_number(1, size) for size in w.shape) + _number(2, FLOAT)
    weights += _bytes(8, "w") + _bytes(9, np.ascontiguousarray(w).astype("<f4").tobytes())
    graph = _bytes(1, node) + _bytes(2, "convolution") + _bytes(5, weights)
    graph += _bytes(11, _value("x", x_shape)) + _bytes(12, _value("y", y_shape))
    return _number(1, IR_VERSION) + _bytes(7, graph) + _bytes(8, _number(2, OPSET))
