"""`simd` under each instruction set, inside its arrays, and with its kernels kept on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from tests.marks import examples
from tests.workload.convolve.reference import Case, Layout, cases, eq1, rounding_bound
from workload.convolve import simd, simd_kernel, simd_streams
from workload.convolve.codegen import CpuTarget, host, parse, target_machine
from workload.convolve.simd_plan import AVX2, AVX512, LEVELS, SSE2, choose
from workload.domain.backends import NON_TEMPORAL, ORDINARY, STORES

ROOT = Path(__file__).parents[3]
WIDEST = simd.level_of(host())
AVAILABLE = [level.name for level in LEVELS[LEVELS.index(WIDEST) :]] if WIDEST else []
CASE = Case((2, 3, 20, 40), (4, 3, 3, 3))
every_level = pytest.mark.parametrize(
    "level",
    [
        pytest.param(level.name, marks=pytest.mark.skipif(level.name not in AVAILABLE, reason="not on this CPU"))
        for level in LEVELS
    ],
)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    host = simd.host
    yield
    simd.host = host  # a test's own patch may be undone later than this
    simd.configure()


def right(case: Case, stores: str = ORDINARY) -> bool:
    x, w = case.operands()
    y, buffer = case.y_layout.view(case.y_shape, np.nan)
    simd.compiler(stores).convolve(x, w, y)
    within = bool((np.abs(y - eq1(x, w)) <= rounding_bound(x, w)).all())
    y[...] = np.nan
    return within and bool(np.isnan(buffer).all())  # nothing was written beside y


@pytest.fixture
def rows_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets rows that are too short to gain by it be streamed too."""
    monkeypatch.setattr(simd, "SHORTEST_STREAMED", 1)


@pytest.mark.thorough
@pytest.mark.parametrize("stores", STORES)
@every_level
@pytest.mark.usefixtures("rows_of_any_length")
def test_equals_eq1_at_every_level(level: str, stores: str) -> None:
    simd.configure(features=level)

    @examples(40)
    @given(case=cases())
    def every(case: Case) -> None:
        assert right(case, stores)

    every()


@pytest.mark.parametrize(
    "case",
    [
        Case((1, 2, 40, 41), (3, 2, 11, 11)),  # tap rows looped over
        Case((1, 1, 5, 700), (4, 1, 3, 600)),  # every tap looped over
        Case((1, 2, 12, 220), (2, 2, 1, 200)),  # several rows of y, one of taps, looped over
        Case((2, 3, 50, 50), (2, 3, 50, 50)),  # K = H, one output
        Case((1, 200, 4, 600), (9, 200, 2, 2)),  # several strips
        Case((2, 300, 7, 9), (10, 300, 1, 1)),  # adjoining rows as one
        Case((1, 3, 40, 300), (3, 3, 3, 3)),  # rows wide enough to prefetch
        Case((2, 3, 9, 1024), (3, 3, 3, 3)),  # 1022 columns: every row begins at another place of its line
        Case((1, 1, 3, 258), (1, 1, 3, 3)),  # rows of whole tiles
        Case((1, 1, 7, 600), (2, 1, 1, 1), y_layout=Layout(gaps=(0, 0, 0, 3))),  # K = 1, rows apart
        Case((1, 400, 2, 700), (3, 400, 2, 2)),  # several strips of a long row
    ],
)
@pytest.mark.parametrize("stores", STORES)
@every_level
@pytest.mark.usefixtures("rows_of_any_length")
def test_large_kernels_and_long_rows(case: Case, level: str, stores: str) -> None:
    simd.configure(features=level)
    assert right(case, stores)


@pytest.mark.parametrize("start", range(16))
@every_level
def test_rows_may_begin_anywhere_in_a_line(level: str, start: int) -> None:
    x, w = Case((1, 2, 6, 301), (3, 2, 3, 3)).operands()
    memory = np.full(3 * 4 * 299 + 32, np.nan, np.float32)
    first = start + (-memory.ctypes.data // 4) % 16
    y = memory[first : first + 3 * 4 * 299].reshape(1, 3, 4, 299)
    simd.Compiler(features=level, stores=NON_TEMPORAL).convolve(x, w, y)
    assert (np.abs(y - eq1(x, w)) <= rounding_bound(x, w)).all()
    assert np.isnan(memory[:first]).all()
    assert np.isnan(memory[first + y.size :]).all()


def test_elements_off_their_own_alignment_are_stored_in_the_ordinary_way() -> None:
    x, w = Case((1, 1, 5, 302), (1, 1, 3, 3)).operands()
    memory = np.zeros(4 * 3 * 300 + 1, np.uint8)
    y = memory[1:].view(np.float32).reshape(1, 1, 3, 300)
    assert not y.flags.aligned
    simd.Compiler(stores=NON_TEMPORAL).convolve(x, w, y)
    assert (np.abs(y - eq1(x, w)) <= rounding_bound(x, w)).all()


def test_unknown_stores_are_refused() -> None:
    with pytest.raises(ValueError, match="stores = 'fast' is unknown: it is one of ordinary, non-temporal"):
        simd.Compiler(stores="fast")


@pytest.mark.thorough
@pytest.mark.parametrize("stores", STORES)
@every_level
def test_stays_inside_its_arrays(level: str, stores: str) -> None:
    program = [sys.executable, "-m", "tests.workload.convolve.guarded", level, stores, "200"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 200


@pytest.mark.parametrize(
    ("level", "used", "unused"), [("avx512", "zmm", None), ("avx2", "ymm", "zmm"), ("sse2", "mulps", "ymm")]
)
def test_code_keeps_to_its_instruction_set(level: str, used: str, unused: str | None) -> None:
    if level not in AVAILABLE:
        pytest.skip("not on this CPU")
    compiler = simd.Compiler(features=level)
    machine = target_machine(compiler.target)
    plan = choose(compiler.level, CASE.w_shape, 18, 38)
    assembly = machine.emit_assembly(parse(simd_kernel.emit(plan, CASE.w_shape)))
    assert used in assembly
    streamed = machine.emit_assembly(parse(simd_kernel.emit(plan, CASE.w_shape, plan.lanes in simd_streams.LANES)))
    assert ("movntps" in streamed) is ("sfence" in streamed) is (level != "sse2")
    assert unused is None or unused not in assembly
    assert "fmaf" not in assembly, "a multiply-add became a library call"


X86 = CpuTarget("x86_64-unknown-linux-gnu", "some-cpu", "+sse2")


@pytest.mark.parametrize(
    ("target", "level"),
    [
        (X86, SSE2),
        (replace(X86, features="+sse2,+avx,-avx2,-avx512f"), SSE2),
        (replace(X86, features="+avx2,-fma"), SSE2),  # no multiply-add: the plans count on one
        (replace(X86, features="+avx2,+fma,-avx512f"), AVX2),
        (replace(X86, features="+avx2,+fma,+avx512f"), AVX512),
        (replace(X86, triple="aarch64-unknown-linux-gnu", features="+neon"), None),
    ],
)
def test_level_follows_from_features(target: CpuTarget, level: object) -> None:
    assert simd.level_of(target) is level


def test_says_why_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    arm = replace(X86, triple="aarch64-unknown-linux-gnu")
    assert "aarch64" in (simd.unavailable(arm) or "")
    assert simd.unavailable(X86) is None
    monkeypatch.setattr(simd, "host", lambda: arm)
    with pytest.raises(RuntimeError, match=r"x86-64 only, not for aarch64.*use numpy"):
        simd.configure()


def test_refuses_an_instruction_set_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"features = 'avx1024'.*give one of them"):
        simd.configure(features="avx1024")


def forbid_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bytes:
        raise AssertionError("compiled, though the cache holds the kernel")

    monkeypatch.setattr(simd, "compile_module", refuse)


def only_entry(directory: Path) -> Path:
    (entry,) = directory.iterdir()
    return entry


def test_kernel_is_taken_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simd.configure(tmp_path / "cache")
    assert right(CASE)
    simd.configure(tmp_path / "cache")
    forbid_compiling(monkeypatch)
    assert right(CASE)


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "text", "foreign code, its digest right"])
def test_damaged_kernel_is_compiled_anew(tmp_path: Path, damage: str) -> None:
    simd.configure(tmp_path / "cache")
    assert right(CASE)
    entry = only_entry(tmp_path / "cache")
    whole = entry.read_bytes()
    if damage == "foreign code, its digest right":
        other = Case((1, 1, 9, 9), (1, 1, 2, 2))
        simd.configure(tmp_path / "other")
        assert right(other)
        entry.write_bytes(only_entry(tmp_path / "other").read_bytes())
    else:
        flipped = whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:]
        entry.write_bytes({"flipped": flipped, "cut": whole[:-1], "empty": b"", "text": b"no kernel"}[damage])
    simd.configure(tmp_path / "cache")
    assert right(CASE)
    assert entry.read_bytes() == whole  # put right on the way


def test_unusable_directory_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    simd.configure(tmp_path / "file" / "cache")
    assert right(CASE)


def test_key_holds_all_that_code_follows_from(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = choose(AVX2, (4, 3, 3, 3), 18, 38)
    keys = [
        simd._key(plan, (4, 3, 3, 3), False, X86),
        simd._key(replace(plan, vectors=plan.vectors + 1), (4, 3, 3, 3), False, X86),
        simd._key(plan, (4, 3, 3, 4), False, X86),
        simd._key(plan, (4, 3, 3, 3), True, X86),
        simd._key(plan, (4, 3, 3, 3), False, replace(X86, cpu="other-cpu")),
        simd._key(plan, (4, 3, 3, 3), False, replace(X86, features="+sse2,+avx")),
    ]
    monkeypatch.setattr(simd, "_generator", lambda: "another version")
    keys.append(simd._key(plan, (4, 3, 3, 3), False, X86))
    assert len(set(keys)) == len(keys)


def test_compiles_ahead_for_both_readings_of_a_pointwise_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    simd.configure()
    simd.compile_for((2, 8, 9, 40), (8, 8, 1, 1))
    forbid_compiling(monkeypatch)
    assert right(Case((2, 8, 9, 40), (8, 8, 1, 1)))
    x, w = Case((2, 8, 9, 44), (8, 8, 1, 1)).operands()
    simd.convolve(x[..., 2:42], w, np.empty((2, 8, 9, 40), np.float32))


def test_cache_directory_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        simd.configure(tmp_path / "deep" / "cache")
        assert right(CASE)
    finally:
        os.umask(old)
    assert (tmp_path / "deep" / "cache").stat().st_mode & 0o777 == 0o700
    assert only_entry(tmp_path / "deep" / "cache").stat().st_mode & 0o777 == 0o600
