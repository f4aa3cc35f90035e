"""The convolution benchmark on a small case: real timings, right answers, the files it promises."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import convolution
from benchmarks.common.buffers import aligned
from benchmarks.common.timing import Timing, interleaved
from workload.probe.copy import Copy

SMALL = (
    convolution.Case("small", (2, 3, 20, 41), (3, 3, 3, 3)),
    convolution.Case("point", (1, 5, 9, 40), (2, 5, 1, 1)),
)
OURS = "naive,numpy,simd,copy-limit,fma-limit"


@pytest.fixture(autouse=True)
def _small_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "CASES", SMALL)
    monkeypatch.setattr(convolution, "keep_freed_memory", lambda: True)  # would last for the other tests


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["convolution", *arguments])
    convolution.main()


def test_writes_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "--contenders", OURS, "--repeats", "3", "--out", str(tmp_path))
    results = json.loads((tmp_path / "convolution.json").read_text())
    assert {"cpu", "date", "packages"} <= results["machine"].keys()
    entries = {(entry["case"], entry["contender"]): entry for entry in results["cases"]}
    assert entries.keys() == {(case.name, name) for case in SMALL for name in OURS.split(",")}
    for (_, contender), entry in entries.items():
        assert entry.keys() == {"case", "contender", "median_s", "minimum_s", "repeats", "error"}
        assert 0 < entry["minimum_s"] <= entry["median_s"]
        assert entry["repeats"] == 3
        assert (entry["error"] is None) == contender.endswith("limit")
        assert entry["error"] is None or entry["error"] < 1e-4
    assert "| small | simd |" in (tmp_path / "convolution.md").read_text()
    assert (tmp_path / "convolution.svg").stat().st_size > 0


def test_absent_library_is_skipped_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    run(monkeypatch, "--contenders", "simd,torch-nhwc", "--repeats", "1", "--cases", "small", "--out", str(tmp_path))
    assert "torch-nhwc skipped" in capsys.readouterr().err
    entries = json.loads((tmp_path / "convolution.json").read_text())["cases"]
    assert [entry["contender"] for entry in entries] == ["simd"]


@pytest.mark.parametrize("arguments", [("--cases", "smal"), ("--contenders", "numpi"), ("--repeats", "0")])
def test_refuses_unknown_names(arguments: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as refused:
        run(monkeypatch, *arguments)
    assert refused.value.code == 2


def test_a_wrong_answer_shows_as_its_error() -> None:
    case = SMALL[0]
    data = convolution.make_data(case)
    lazy = convolution.Contender(lambda: None, lambda places: data.y[places])
    error = convolution.error_of(lazy, data, [0], convolution.reference(data.x[:1], data.w))
    assert error is not None
    assert not error < 1  # NaN: what it did not write


@pytest.mark.parametrize("name", ["onnxruntime", "torch-nchw", "torch-nhwc"])
def test_libraries_give_the_right_answer(name: str) -> None:
    pytest.importorskip(name.split("-", maxsplit=1)[0])
    case = SMALL[0]
    data = convolution.make_data(case)
    contender = convolution.CONTENDERS[name](case, data)
    error = convolution.error_of(contender, data, [0, 1], convolution.reference(data.x, data.w))
    assert error is not None
    assert error < 1e-4


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("x_size", "y_size"), [(160, 160), (176, 64), (64, 176)])
def test_copy_writes_every_line_and_no_more(streamed: bool, x_size: int, y_size: int) -> None:
    x, memory = aligned((x_size,)), aligned((y_size + 16,))
    x[...] = np.arange(1, x_size + 1)
    memory[...] = np.nan
    Copy(streamed)(x, memory[:y_size])
    assert not np.isnan(memory[:y_size]).any()
    assert np.isnan(memory[y_size:]).all()
    both = min(x_size, y_size)
    np.testing.assert_array_equal(memory[16:both], x[16:both])  # the first line takes the sum of what is read beyond


def test_interleaves_and_stops_the_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    order: list[str] = []

    def contender(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    monkeypatch.setattr("benchmarks.common.timing.time.perf_counter", lambda: now[0])
    timings = interleaved(
        {"fast": lambda: contender("fast", 1.0), "slow": lambda: contender("slow", 10.0)}, repeats=5, most_s=15
    )
    assert order[:4] == ["fast", "slow"] * 2  # warm-up, then the first round
    assert len(timings["fast"].samples_s) == 5
    assert timings["slow"].samples_s == (10.0,) * 3


def test_timing_is_median_and_minimum() -> None:
    timing = Timing((3.0, 1.0, 2.0))
    assert (timing.median_s, timing.minimum_s) == (2.0, 1.0)
