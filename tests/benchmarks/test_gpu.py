"""The GPU's benchmark on a GPU that a CPU plays: right answers, the ratios and verdicts, and what it leaves out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import convolution, gpu
from benchmarks.common import aims, cudnn
from benchmarks.common.aims import Aim
from results.estimates import INTERVAL, Estimate
from tests.workload.gpu.played import COMPILER, NO_COMPILER, PlayedDevice, played_gpus
from workload.gpu import driver
from workload.gpu.missing import GPU_MISSING
from workload.probe.scale import Scale

SMALL = (
    convolution.Case("paper-3x3", (6, 3, 20, 41), (3, 3, 3, 3)),
    convolution.Case("deep-64x64", (2, 5, 9, 40), (2, 5, 3, 3)),
)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[PlayedDevice]]:
    """Played GPUs and little to do."""
    if COMPILER is None:
        pytest.skip(NO_COMPILER)
    monkeypatch.setattr(gpu, "CASES", SMALL)
    monkeypatch.setattr(gpu, "SAMPLE_S", 1e-9)
    monkeypatch.setattr(gpu, "CHUNK_BYTES", 3 * 20 * 41 * 4)
    monkeypatch.setattr(gpu, "SCALE", Scale(gpu_bytes=2**14, gpu_threads=2**6))
    with played_gpus(1, tmp_path) as opened:
        yield opened


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu", *arguments])
    gpu.main()


def test_every_contender_is_right_and_every_aim_has_its_ratio(
    small: list[PlayedDevice], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    run(monkeypatch, "--rounds", "3", "--out", str(tmp_path))
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["machine"]["gpu"]["name"] == "played by a CPU"
    assert [entry["case"] for entry in found["resident"]] == [case.name for case in SMALL]
    for entry, case in zip(found["resident"], SMALL, strict=True):
        assert entry["errors"]["cuda"] < 1e-5
        assert entry["compile_s"] > 0.0
        assert "torch is not installed" in entry["left_out"]
        copied = case.moved_bytes // 2 // 16 * 16 * 2
        assert entry["samples_s"]["copy of the same bytes"] == [pytest.approx(copied * 1e-9)] * 3
    (entry,) = found["host_to_host"]
    assert max(entry["errors"].values()) < 1e-5
    assert {len(seconds) for seconds in entry["samples_s"].values()} == {3}
    larger = max(4 * np.prod(SMALL[0].x_shape), 4 * np.prod(SMALL[0].y_shape))
    assert entry["samples_s"][gpu.LINK] == [pytest.approx(larger * 1e-9)] * 3, "a nanosecond a byte, both ways at once"
    names = [(aim["aim"].split(":")[0], aim["verdict"].split(":")[0]) for aim in found["aims"]]
    assert [name for name, _ in names] == ["paper-3x3", "paper-3x3", "deep-64x64", "paper-3x3", gpu_compile()]
    assert [verdict == "not measured" for _, verdict in names] == [False, True, True, False, False]
    assert (tmp_path / "gpu.md").read_text() in capsys.readouterr().out
    assert all(device.given_back for device in small)


def gpu_compile() -> str:
    return f"compile time of a new shape over {gpu.COMPILE_S:g} s"


def test_without_a_gpu_it_says_why_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(driver, "missing", lambda: GPU_MISSING)
    run(monkeypatch, "--out", str(tmp_path))
    assert capsys.readouterr().out == f"gpu: skipped: {GPU_MISSING}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [("--cases", "paper"), ("--rounds", "0")])
def test_refuses_unknown_names(arguments: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as refused:
        run(monkeypatch, *arguments)
    assert refused.value.code == 2


def entry(case: str, algorithms: dict[str, str], **samples: list[float]) -> dict[str, Any]:
    told = {name: {"algorithm": algorithm, "kernels": []} for name, algorithm in algorithms.items()}
    return {"case": case, "samples_s": samples, "algorithms": told, "left_out": "", "compile_s": 1.0, "errors": {}}


def samples(**seconds: float) -> dict[str, list[float]]:
    return {name.replace("_", " "): [value, value * 1.1, value * 0.9] for name, value in seconds.items()}


def test_the_aims_are_ratios_round_by_round() -> None:
    paper = entry(
        "paper-3x3",
        {"cudnn": cudnn.WINOGRAD, "cudnn slow": cudnn.DIRECT, "torch without": cudnn.UNNAMED},
        **samples(cuda=1.2, copy_of_the_same_bytes=1.0, cudnn=9.6, cudnn_slow=12.0, torch_without=1.0),
    )
    deep = entry(
        "deep-64x64",
        {"cudnn": cudnn.WINOGRAD, "a": cudnn.DIRECT, "b": cudnn.IMPLICIT_GEMM},
        **samples(cuda=1.0, cudnn=0.5, a=2.0, b=0.8),
    )
    host = {
        "case": "paper-3x3",
        "samples_s": samples(by_chunks=1.0, in_one_piece=2.0) | {gpu.LINK: [0.95, 1.045, 0.855]},
    }
    over_copy, over_cudnn, beside, link, compiling = gpu.aims_of([paper, deep], [host])
    assert (over_copy.ratio.value, over_copy.verdict) == (pytest.approx(1.2), aims.MET)
    assert (over_cudnn.ratio.value, over_cudnn.verdict) == (pytest.approx(8.0), aims.MET)
    assert over_cudnn.name.endswith("(cudnn)"), "the fastest of cuDNN, by whatever algorithm"
    assert (beside.ratio.value, beside.verdict) == (pytest.approx(0.8), aims.MISSED)
    assert beside.name.endswith("(b)"), "Winograd computes less"
    assert (link.ratio.value, link.verdict) == (pytest.approx(0.95), aims.MET)
    assert (compiling.ratio.value, compiling.verdict) == (pytest.approx(1 / 3), aims.MET)


def test_an_aim_without_a_rival_says_so() -> None:
    (aim, *_) = gpu.aims_of([entry("mid-16x16", {"cudnn": cudnn.FFT}, **samples(cuda=1.0, cudnn=1.0))], [])
    assert aim.verdict == "not measured: no kernel of cuDNN was named so"
    assert "| — |" in aim.line


@pytest.mark.parametrize(
    ("low", "value", "high", "at_most", "verdict"),
    [
        (1.0, 1.2, 1.4, True, aims.MET),
        (1.0, 1.2, 1.4, False, aims.MISSED),
        (1.6, 1.7, 1.8, True, aims.MISSED),
        (1.6, 1.7, 1.8, False, aims.MET),
        (1.4, 1.49, 1.6, True, aims.OPEN),
        (1.5, 1.5, 1.5, True, aims.MET),
        (1.5, 1.5, 1.5, False, aims.MET),
    ],
)
def test_an_interval_that_holds_the_bound_leaves_it_open(
    low: float, value: float, high: float, at_most: bool, verdict: str
) -> None:
    assert Aim("a", 1.5, at_most, Estimate(value, low, high, INTERVAL, 5)).verdict == verdict


def test_a_slow_round_slows_both() -> None:
    found = aims.paired([2.0, 20.0, 4.0], [1.0, 10.0, 2.0])
    assert (found.low, found.value, found.high) == (pytest.approx(2.0),) * 3
    with pytest.raises(ValueError, match="zip"):
        aims.paired([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("kernels", "told"),
    [
        (("void cudnn::winograd_nonfused::winogradForwardFilter4x4<float>(..)",), cudnn.WINOGRAD),
        (("void fft2d_r2c_32x32<float>(..)", "cf32gemm"), cudnn.FFT),
        (("implicit_convolve_sgemm<float, 128, 5>",), cudnn.IMPLICIT_GEMM),
        (("sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_nchwkcrs_nchw",), cudnn.IMPLICIT_GEMM),
        (("void conv2d_grouped_direct_kernel<float>(..)",), cudnn.DIRECT),
        (("void im2col_kernel<float>", "sgemm_32x32x32_NN"), cudnn.UNNAMED),
        ((), cudnn.UNNAMED),
    ],
)
def test_the_kernels_names_tell_the_algorithm(kernels: tuple[str, ...], told: str) -> None:
    assert cudnn.family(kernels) == told


def test_a_torch_that_sees_no_gpu_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = SimpleNamespace(cuda=SimpleNamespace(is_available=lambda: False))
    monkeypatch.setitem(sys.modules, "torch", blind)
    with pytest.raises(RuntimeError, match="torch sees no GPU"):
        next(cudnn.contenders(np.zeros((1, 1, 3, 3), np.float32), np.zeros((1, 1, 1, 1), np.float32)))


def test_each_way_that_torch_takes_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """torch itself, with its tensors on the CPU: what it does not know would raise. Its profiler needs a GPU."""
    torch = pytest.importorskip("torch")
    assert torch.autograd.DeviceType.CUDA != torch.autograd.DeviceType.CPU
    monkeypatch.setattr(cudnn, "_kernels", lambda _, convolve: ("direct",) if convolve(1) is not None else ())

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None: ...

        def synchronize(self) -> None: ...

        def elapsed_time(self, _: object) -> float:
            return 6.0

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
    case = SMALL[0]
    data = convolution.make_data(case)
    found = dict(cudnn.contenders(data.x, data.w))
    assert list(found) == list(cudnn.WAYS)
    assert not capsys.readouterr().err
    expected = convolution.reference(data.x[:1], data.w)[0]
    for each in found.values():
        assert np.abs(each.image - expected).max() < 1e-4
        assert each.family == cudnn.DIRECT
        assert each.seconds(3) == pytest.approx(2e-3)
