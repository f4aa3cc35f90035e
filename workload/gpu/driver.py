"""A GPU by NVIDIA's driver.

Its library is called through ctypes: the functions below, by the names that drivers of CUDA 12 and 13 both export. The
Python bindings of CUDA 13 need a driver of CUDA 13, those of CUDA 12 cannot be installed beside today's torch.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from ctypes import byref, c_char_p, c_int, c_longlong, c_size_t, c_uint, c_ulonglong, c_void_p
from pathlib import Path
from typing import Any

from workload.gpu.compiler import compile_for, loaded
from workload.gpu.device import Event, Extent, Float32, Kernel, Memory
from workload.gpu.missing import DRIVER_MISSING, GPU_MISSING, GPU_UNTAKEN

DRIVER = "libcuda.so.1"
NO_DEVICE, OUT_OF_MEMORY = "CUDA_ERROR_NO_DEVICE", "CUDA_ERROR_OUT_OF_MEMORY"
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76  # of enum CUdevice_attribute
VENDOR, DISPLAY = "0x10de", "0x03"  # of PCI: NVIDIA, and the class of graphics and of 3D controllers
NON_BLOCKING = 1  # of enum CUstream_flags: without the default stream's order, which would let no two streams overlap
_ADDRESS = c_ulonglong  # CUdeviceptr
# Every function that is called, and its arguments; all answer an outcome, 0 for success
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cuCtxSetCurrent": (c_void_p,),
    "cuDeviceGet": (c_void_p, c_int),
    "cuDeviceGetAttribute": (c_void_p, c_int, c_int),
    "cuDeviceGetCount": (c_void_p,),
    "cuDeviceGetName": (c_char_p, c_int, c_int),
    "cuDeviceGetUuid": (c_char_p, c_int),
    "cuDevicePrimaryCtxRetain": (c_void_p, c_int),
    "cuDeviceTotalMem_v2": (c_void_p, c_int),
    "cuDriverGetVersion": (c_void_p,),
    "cuEventCreate": (c_void_p, c_uint),
    "cuEventDestroy_v2": (c_void_p,),
    "cuEventElapsedTime": (c_void_p, c_void_p, c_void_p),
    "cuEventRecord": (c_void_p, c_void_p),
    "cuEventSynchronize": (c_void_p,),
    "cuGetErrorName": (c_int, c_void_p),
    "cuInit": (c_uint,),
    "cuLaunchKernel": (c_void_p, *[c_uint] * 7, c_void_p, c_void_p, c_void_p),
    "cuMemAlloc_v2": (c_void_p, c_size_t),
    "cuMemFree_v2": (_ADDRESS,),
    "cuMemGetInfo_v2": (c_void_p, c_void_p),
    "cuMemHostRegister_v2": (c_void_p, c_size_t, c_uint),
    "cuMemHostUnregister": (c_void_p,),
    "cuMemcpyDtoHAsync_v2": (c_void_p, _ADDRESS, c_size_t, c_void_p),
    "cuMemcpyHtoDAsync_v2": (_ADDRESS, c_void_p, c_size_t, c_void_p),
    "cuMemsetD8Async": (_ADDRESS, ctypes.c_ubyte, c_size_t, c_void_p),
    "cuModuleGetFunction": (c_void_p, c_void_p, c_char_p),
    "cuModuleLoadData": (c_void_p, c_char_p),
    "cuStreamCreate": (c_void_p, c_uint),
    "cuStreamDestroy_v2": (c_void_p,),
    "cuStreamSynchronize": (c_void_p,),
}


class CudaFailedError(RuntimeError):
    """The driver refused a call. `word` says why, such as CUDA_ERROR_OUT_OF_MEMORY."""

    def __init__(self, function: str, word: str) -> None:
        super().__init__(f"the GPU's driver failed in {function}: {word}")
        self.word = word


class CudaLibrary:
    """The driver's library. Raises RuntimeError, saying what to do, where it is missing."""

    def __init__(self, path: str = DRIVER) -> None:
        try:
            self._library = ctypes.CDLL(path)
        except OSError as error:
            raise RuntimeError(DRIVER_MISSING) from error
        for name, arguments in _FUNCTIONS.items():
            getattr(self._library, name).argtypes = arguments

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function. Raises CudaFailedError."""
        outcome = getattr(self._library, name)(*arguments)
        if outcome != 0:
            raise CudaFailedError(name, self._word(outcome))

    def asked(self, kind: Any, name: str, *arguments: Any) -> Any:
        """Calls a function whose first argument is where its answer of that kind goes; returns the answer."""
        answer = kind()
        self.call(name, byref(answer), *arguments)
        return answer.value

    def _word(self, outcome: int) -> str:
        word = c_char_p()
        self._library.cuGetErrorName(outcome, byref(word))
        return (word.value or b"").decode() or f"error {outcome}"


def missing(devices: Path = Path("/dev"), path: str = DRIVER, bus: Path = Path("/sys/bus/pci/devices")) -> str | None:
    """The first thing that this node lacks, and what to do; None if a GPU can be tried. Starts no GPU."""
    try:
        ctypes.CDLL(path)
    except OSError:
        return GPU_UNTAKEN if _on(bus) else DRIVER_MISSING
    if not list(devices.glob("nvidia[0-9]*")) and not (devices / "dxg").exists():  # dxg: Linux within Windows
        return GPU_UNTAKEN if _on(bus) else GPU_MISSING
    try:
        loaded()
    except RuntimeError as error:
        return str(error)
    return None


def _on(bus: Path) -> bool:
    """Whether the machine has a GPU of NVIDIA's, whether a driver takes it or not."""
    return any(_read(each / "vendor") == VENDOR and _read(each / "class")[:4] == DISPLAY for each in bus.glob("*"))


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


def opened(local_rank: int, path: str = DRIVER) -> CudaDevice:
    """The GPU of a rank: the ranks of a node take its GPUs in turn.

    Raises RuntimeError, in one line that says what to do, where driver or GPU are missing.
    """
    library, found = _begun(path)
    return CudaDevice(library, local_rank % found)


def count(path: str = DRIVER) -> int:
    """How many GPUs this process sees, at least one. Raises as `opened` does."""
    return _begun(path)[1]


def _begun(path: str) -> tuple[CudaLibrary, int]:
    library = CudaLibrary(path)
    try:
        library.call("cuInit", 0)
        found = int(library.asked(c_int, "cuDeviceGetCount"))
    except CudaFailedError as error:
        raise RuntimeError(GPU_MISSING if error.word == NO_DEVICE else str(error)) from error
    if found == 0:
        raise RuntimeError(GPU_MISSING)
    return library, found


class CudaDevice:
    """See `workload.gpu.device.Device`. `number` counts the GPUs that the process sees."""

    def __init__(self, library: CudaLibrary, number: int) -> None:
        self._library = library
        self._device = library.asked(c_int, "cuDeviceGet", number)
        library.call("cuCtxSetCurrent", library.asked(c_void_p, "cuDevicePrimaryCtxRetain", self._device))
        self._pinned: list[Float32] = []

    @property
    def capability(self) -> int:
        """The compute capability, 90 for 9.0."""
        major, minor = (
            self._library.asked(c_int, "cuDeviceGetAttribute", each, self._device)
            for each in (CAPABILITY_MAJOR, CAPABILITY_MINOR)
        )
        return 10 * int(major) + int(minor)

    def facts(self) -> dict[str, Any]:
        name, uuid = ctypes.create_string_buffer(128), ctypes.create_string_buffer(16)
        self._library.call("cuDeviceGetName", name, len(name), self._device)
        self._library.call("cuDeviceGetUuid", uuid, self._device)
        version = self._library.asked(c_int, "cuDriverGetVersion")
        return {
            "name": name.value.decode().strip(),
            "uuid": uuid.raw.hex(),
            "compute_capability": self.capability / 10,
            "memory_bytes": self._library.asked(c_size_t, "cuDeviceTotalMem_v2", self._device),
            "driver_cuda": f"{version // 1000}.{version % 1000 // 10}",
        }

    def pin(self, array: Float32) -> None:
        self._library.call("cuMemHostRegister_v2", array.ctypes.data, array.nbytes, 0)
        self._pinned.append(array)

    def memory(self, nbytes: int) -> CudaMemory:
        try:
            return CudaMemory(self._library, nbytes)
        except CudaFailedError as error:
            if error.word != OUT_OF_MEMORY:
                raise
            free, total = c_size_t(), c_size_t()
            self._library.call("cuMemGetInfo_v2", byref(free), byref(total))
            raise MemoryError(
                f"the GPU has {free.value} bytes free of {total.value}, and {nbytes} more are needed: "
                "give a smaller chunk_bytes"
            ) from error

    def stream(self) -> CudaStream:
        return CudaStream(self._library)

    def compile(self, source: str, name: str) -> CudaCode:
        code, _ = compile_for(source, self.capability)
        module = self._library.asked(c_void_p, "cuModuleLoadData", code)
        return CudaCode(self._library.asked(c_void_p, "cuModuleGetFunction", module, name.encode()))

    def close(self) -> None:
        while self._pinned:
            self._library.call("cuMemHostUnregister", self._pinned.pop().ctypes.data)


class CudaCode:
    """A kernel, by the driver's handle."""

    def __init__(self, function: int) -> None:
        self.function = function


class CudaMemory:
    """See `workload.gpu.device.Memory`."""

    def __init__(self, library: CudaLibrary, nbytes: int) -> None:
        self._library, self.nbytes = library, nbytes
        self.address = int(library.asked(_ADDRESS, "cuMemAlloc_v2", nbytes))

    def free(self) -> None:
        self._library.call("cuMemFree_v2", self.address)


class CudaStream:
    """See `workload.gpu.device.Stream`."""

    def __init__(self, library: CudaLibrary) -> None:
        self._library = library
        self._stream = library.asked(c_void_p, "cuStreamCreate", NON_BLOCKING)

    def copy_in(self, memory: Memory, array: Float32) -> None:
        self._library.call(
            "cuMemcpyHtoDAsync_v2", memory.address, array.ctypes.data, _fits(array, memory), self._stream
        )

    def copy_out(self, array: Float32, memory: Memory) -> None:
        self._library.call(
            "cuMemcpyDtoHAsync_v2", array.ctypes.data, memory.address, _fits(array, memory), self._stream
        )

    def fill_with_nan(self, memory: Memory) -> None:
        self._library.call("cuMemsetD8Async", memory.address, 0xFF, memory.nbytes, self._stream)

    def launch(
        self, kernel: Kernel, blocks: Extent, threads: Extent, memories: Sequence[Memory], positions: int
    ) -> None:
        if not isinstance(kernel, CudaCode):
            raise TypeError(f"{kernel!r} was not compiled for a GPU")
        values = [*(_ADDRESS(each.address) for each in memories), c_longlong(positions)]
        where = (c_void_p * len(values))(*map(ctypes.addressof, values))
        shape = (blocks.x, blocks.y, 1, threads.x, threads.y, 1)
        self._library.call("cuLaunchKernel", kernel.function, *shape, 0, self._stream, where, None)

    def event(self) -> CudaEvent:
        event = CudaEvent(self._library)
        self._library.call("cuEventRecord", event.handle, self._stream)
        return event

    def wait(self) -> None:
        self._library.call("cuStreamSynchronize", self._stream)

    def __del__(self) -> None:
        with suppress(CudaFailedError):  # at the end of a process the driver may have gone first
            self._library.call("cuStreamDestroy_v2", self._stream)


class CudaEvent:
    """See `workload.gpu.device.Event`."""

    def __init__(self, library: CudaLibrary) -> None:
        self._library = library
        self.handle = library.asked(c_void_p, "cuEventCreate", 0)

    def wait(self) -> None:
        self._library.call("cuEventSynchronize", self.handle)

    def seconds_since(self, earlier: Event) -> float:
        if not isinstance(earlier, CudaEvent):
            raise TypeError(f"{earlier!r} is no event of a GPU")
        elapsed_ms = self._library.asked(ctypes.c_float, "cuEventElapsedTime", earlier.handle, self.handle)
        return float(elapsed_ms) / 1000

    def __del__(self) -> None:
        with suppress(CudaFailedError):
            self._library.call("cuEventDestroy_v2", self.handle)


def _fits(array: Float32, memory: Memory) -> int:
    """The bytes of an array. Raises ValueError if it does not lie in one piece, or is larger than the memory."""
    if not array.flags.c_contiguous or array.nbytes > memory.nbytes:
        raise ValueError(f"an array of {array.nbytes} bytes, in pieces or larger than {memory.nbytes} on the GPU")
    return array.nbytes
