"""Backend `simd`: the direct convolution in vector code made for this CPU and this shape.

`simd_plan` chooses the tiling, `simd_kernel` emits it, `codegen` compiles it, and `simd_cache` keeps it on disk if
`configure` named a directory. One thread.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from workload.convolve import Array, Shape, codegen, emitter, simd_kernel, simd_plan, simd_streams
from workload.convolve.arguments import check_arguments
from workload.convolve.codegen import CpuTarget, Function, compile_module, host
from workload.convolve.simd_cache import CodeCache
from workload.convolve.simd_plan import AVX2, AVX512, LEVELS, SSE2, Level, Tiling, choose, strip_tiles
from workload.domain.backends import NON_TEMPORAL, ORDINARY, STORES

# CPUs to compile for when a lesser instruction set is asked of a greater CPU, by LLVM's name.
_LESSER_CPU = {AVX2: "x86-64-v3", SSE2: "x86-64"}
# Columns of y. Of shorter rows few cache lines are whole: with 30 columns and AVX2 such stores took 30 times as long.
SHORTEST_STREAMED = 128


def unavailable(target: CpuTarget) -> str | None:
    """Why this backend cannot make code for a CPU, in one line; None if it can."""
    if level_of(target) is None:
        return f"backend simd makes code for x86-64 only, not for {target.triple}: use numpy"
    return None


def level_of(target: CpuTarget) -> Level | None:
    """The widest instruction set of a CPU that this backend has a plan for."""
    features = target.features.split(",")
    if not target.triple.startswith("x86_64"):
        return None
    if "+avx512f" in features:
        return AVX512
    return AVX2 if "+avx2" in features and "+fma" in features else SSE2


class Compiler:
    """Convolutions for one instruction set, each compiled once and kept in memory, and in `cache_dir` if given.

    The directory is made private to the user. One that others own or can write to is not used, and one that fails is
    no error: kernels are then compiled again. `features` is avx512, avx2 or sse2; None is the widest the CPU has.
    `stores` is one of STORES; rows that are too short for non-temporal ones are written by ordinary ones.

    Raises:
        ValueError: `features` is unknown or the CPU lacks it, or `stores` is unknown.
        RuntimeError: no plan for this CPU (see `unavailable`).
    """

    def __init__(self, cache_dir: Path | None = None, features: str | None = None, stores: str = ORDINARY) -> None:
        if stores not in STORES:
            raise ValueError(f"stores = {stores!r} is unknown: it is one of {', '.join(STORES)}")
        self.level, self.target = _restricted(features)
        self.stores = stores
        self._cache = None if cache_dir is None else CodeCache(cache_dir)
        self._kernels: dict[tuple[Tiling, Shape, bool], Function] = {}

    def compile_for(self, x_shape: Shape, w_shape: Shape) -> None:
        """Makes the code for these shapes, so that the first call finds it ready. Shapes as for `convolve`."""
        rows, columns = x_shape[2] - w_shape[2] + 1, x_shape[3] - w_shape[3] + 1
        extents = [(rows, columns)]
        if _pointwise(w_shape):
            extents.append((1, rows * columns))  # the strides decide which of the two is called
        for extent in extents:
            plan = choose(self.level, tuple(w_shape), *extent)
            self._kernel(plan, tuple(w_shape), self._streams(plan, extent[1]))

    def convolve(self, x: Array, w: Array, y: Array) -> None:
        """See the module's `convolve`."""
        check_arguments(x, w, y)
        batch, _, rows, columns = y.shape
        if _pointwise(w.shape) and x.strides[2] == y.strides[2] == columns * y.itemsize:
            rows, columns = 1, rows * columns  # without a halo, adjacent rows are one long row
        plan = choose(self.level, w.shape, rows, columns)
        packed = simd_kernel.pack(w, plan.out_block)
        addresses = (array.ctypes.data for array in (x, packed, y))
        strip = strip_tiles(plan, w.shape)
        streamed = self._streams(plan, columns) and y.flags.aligned
        self._kernel(plan, w.shape, streamed)(*addresses, batch, rows, columns, *x.strides[:3], *y.strides[:3], strip)

    def _streams(self, plan: Tiling, columns: int) -> bool:
        return self.stores == NON_TEMPORAL and plan.lanes in simd_streams.LANES and columns >= SHORTEST_STREAMED

    def _kernel(self, plan: Tiling, w_shape: Shape, streamed: bool) -> Function:
        known = self._kernels.get((plan, w_shape, streamed))
        if known is None:
            code = self._code(plan, w_shape, streamed)
            known = self._kernels[plan, w_shape, streamed] = Function(code, simd_kernel.NAME, simd_kernel.ARGUMENTS)
        return known

    def _code(self, plan: Tiling, w_shape: Shape, streamed: bool) -> bytes:
        """Object code from the cache, or else compiled and put there."""
        key = _key(plan, w_shape, streamed, self.target)
        code = self._cache.get(key) if self._cache else None
        if code is None:
            code = compile_module(simd_kernel.emit(plan, w_shape, streamed), self.target, optimised=False)
            if self._cache:
                self._cache.put(key, code)
        return code


def _restricted(features: str | None) -> tuple[Level, CpuTarget]:
    target = host()
    widest = level_of(target)
    if widest is None:
        raise RuntimeError(unavailable(target))
    if features is None or features == widest.name:
        return widest, target
    allowed = {level.name: level for level in LEVELS[LEVELS.index(widest) :]}
    if features not in allowed:
        raise ValueError(f"features = {features!r}: this CPU ({target.cpu}) has {', '.join(allowed)}; give one of them")
    level = allowed[features]
    return level, CpuTarget(target.triple, _LESSER_CPU[level], "")


@dataclass
class _Configured:
    cache_dir: Path | None = None
    features: str | None = None
    compilers: dict[str, Compiler] = field(default_factory=dict)


_configured = _Configured()


def configure(cache_dir: Path | None = None, features: str | None = None) -> None:
    """Sets what `compiler` makes from now on: for the entry point, before the first call. Raises as `Compiler` does."""
    _configured.cache_dir, _configured.features = cache_dir, features
    _configured.compilers = {ORDINARY: Compiler(cache_dir, features)}


def compiler(stores: str = ORDINARY) -> Compiler:
    """The `Compiler` for these stores, as configured. Raises as `Compiler` does."""
    if stores not in _configured.compilers:
        _configured.compilers[stores] = Compiler(_configured.cache_dir, _configured.features, stores)
    return _configured.compilers[stores]


def compile_for(x_shape: Shape, w_shape: Shape) -> None:
    """Makes the code for these shapes, so that the first call finds it ready. Shapes as for `convolve`."""
    compiler().compile_for(x_shape, w_shape)


def convolve(x: Array, w: Array, y: Array) -> None:
    """y = x * w by Eq. 1, summed in float32, by fused multiply-adds if the CPU has them.

    Shapes: `workload.convolve`.

    Raises:
        ValueError: a wrong shape, dtype or stride, named.
        RuntimeError: no plan for this CPU (see `unavailable`).
    """
    compiler().convolve(x, w, y)


def _pointwise(w_shape: Shape) -> bool:
    return tuple(w_shape[2:]) == (1, 1)


def _key(plan: Tiling, w_shape: Shape, streamed: bool, target: CpuTarget) -> str:
    """Everything that determines the code: generator, compiler, CPU and shape."""
    shape = {"plan": asdict(plan), "w_shape": list(w_shape), "streamed": streamed}
    return json.dumps({"generator": _generator(), "target": asdict(target), **shape}, sort_keys=True)


@cache
def _generator() -> str:
    """The compiler's version and a digest of the generator's own source."""
    modules = (emitter, codegen, simd_kernel, simd_plan, simd_streams)
    sources = b"".join(Path(module.__file__ or "").read_bytes() for module in modules)
    compiler = f"llvmlite {llvmlite.__version__}, LLVM {'.'.join(map(str, llvm.llvm_version_info))}"
    return f"{compiler}, {hashlib.sha256(sources).hexdigest()}"
