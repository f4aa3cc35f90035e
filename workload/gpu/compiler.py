"""Compiles CUDA C for a GPU by NVRTC, NVIDIA's compiler as a library. It needs neither a GPU nor a driver.

Called through ctypes: these functions have been the same since CUDA 11.1.
"""

from __future__ import annotations

import ctypes
import sysconfig
from functools import cache
from pathlib import Path
from typing import Any

from workload.gpu.missing import COMPILER_MISSING

LIBRARY = "libnvrtc.so.12"  # of CUDA 12, whose code the drivers of CUDA 13 take as well
FOLDER = "nvidia/cuda_nvrtc/lib"  # of the package, below site-packages


def compile_for(source: str, capability: int) -> tuple[bytes, str]:
    """The code for a compute capability such as 90 (9.0), and what the compiler said of it.

    For a GPU that is newer than the compiler, code for the newest that it knows, which the driver translates.

    Raises:
        RuntimeError: the compiler is not installed, or refuses the source; its own words are in the message.
    """
    library = loaded()
    known = _capabilities(library)
    if capability < min(known):
        raise RuntimeError(f"a GPU of compute capability {capability / 10} is too old: {min(known) / 10} is needed")
    exact = capability in known
    target = f"sm_{capability}" if exact else f"compute_{max(each for each in known if each <= capability)}"
    program = ctypes.c_void_p()
    _check(library, library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"eq1.cu", 0, None, None))
    try:
        # no fast mathematics: products and sums are rounded as IEEE 754 says, and denormal numbers stay
        options = [f"--gpu-architecture={target}", "--std=c++11", "--ptxas-options=-v"]
        words = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        outcome = library.nvrtcCompileProgram(program, len(options), words)
        said = _text(library, program, "ProgramLog").decode(errors="replace").strip("\0 \n")
        if outcome != 0:
            raise RuntimeError(f"the CUDA compiler refuses the kernel for {target}: {' '.join(said.split())[:400]}")
        return _text(library, program, "CUBIN" if exact else "PTX"), said
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


@cache
def loaded() -> Any:
    """NVRTC: the installed package's, else the system's. Raises RuntimeError, saying what to install."""
    for path in (str(Path(sysconfig.get_path("purelib")) / FOLDER / LIBRARY), LIBRARY):
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        return library
    raise RuntimeError(COMPILER_MISSING)


def _capabilities(library: Any) -> list[int]:
    count = ctypes.c_int()
    _check(library, library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
    known = (ctypes.c_int * count.value)()
    _check(library, library.nvrtcGetSupportedArchs(known))
    return list(known)


def _text(library: Any, program: ctypes.c_void_p, what: str) -> bytes:
    size = ctypes.c_size_t()
    _check(library, getattr(library, f"nvrtcGet{what}Size")(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(library, getattr(library, f"nvrtcGet{what}")(program, text))
    return text.raw


def _check(library: Any, outcome: int) -> None:
    if outcome != 0:
        raise RuntimeError(f"the CUDA compiler failed: {library.nvrtcGetErrorString(outcome).decode()}")
