"""How fast each backend convolves, against what a user would pick instead and against the machine's limits.

    python -m benchmarks.convolution [--cases NAMES] [--contenders NAMES] [--repeats N] [--out DIR]

One process, one thread, warm buffers that begin at a cache line, contenders interleaved. Writes
convolution.json, convolution.md and convolution.svg. torch and onnxruntime are skipped where absent
(extra `bench`).
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # one thread each; libraries read these when they are loaded, so before the other imports
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path as well as by its name

from benchmarks.common import machine, onnx_model, roofline
from benchmarks.common.buffers import aligned, keep_freed_memory
from benchmarks.common.timing import Timing, interleaved
from workload.convolve import load
from workload.convolve.simd import Compiler
from workload.domain.backends import NON_TEMPORAL, ORDINARY
from workload.probe.copy import Copy
from workload.probe.multiply_add import MultiplyAdd
from workload.record.files import write_json
from workload.record.schema import SCHEMA_VERSION

Array = NDArray[np.float32]
Call = Callable[[], object]

RESULTS = Path(__file__).parent / "results"
MOST_S = 20.0  # a contender that has used so much of a case stops early; its entry says after how many repeats
TORCH_IMAGES = 2000  # at a time: torch is quicker on many tiny images in pieces that fit the cache


@dataclass(frozen=True)
class Case:
    """Shapes of one convolution."""

    name: str
    x_shape: tuple[int, int, int, int]
    w_shape: tuple[int, int, int, int]

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        rows, columns = self.x_shape[2] - self.w_shape[2] + 1, self.x_shape[3] - self.w_shape[3] + 1
        return (self.x_shape[0], self.w_shape[0], rows, columns)

    @property
    def multiply_adds(self) -> int:
        return int(np.prod(self.y_shape, dtype=object) * np.prod(self.w_shape[1:], dtype=object))

    @property
    def moved_bytes(self) -> int:
        """Of x read and y written once each."""
        return int(4 * (np.prod(self.x_shape, dtype=object) + np.prod(self.y_shape, dtype=object)))


CASES = (
    Case("paper-3x3", (8, 3, 1024, 1024), (3, 3, 3, 3)),
    Case("deep-64x64", (1, 64, 256, 256), (64, 64, 3, 3)),
    Case("tiny-160k", (160_000, 1, 32, 32), (1, 1, 3, 3)),
    Case("conv-5x5", (1, 3, 1024, 1024), (3, 3, 5, 5)),
    Case("mid-16x16", (1, 16, 256, 256), (16, 16, 3, 3)),
    Case("pointwise-64", (1, 64, 256, 256), (64, 64, 1, 1)),
)


@dataclass
class Data:
    """The arrays of a case. Every contender reads the same x and w; those that can write the same y."""

    x: Array
    w: Array
    y: Array


@dataclass(frozen=True)
class Contender:
    """A call to time, and what it left: the images of y at these places (None: it computes no y)."""

    call: Call
    images: Callable[[list[int]], Array] | None = None


Maker = Callable[[Case, Data], Contender]


def backend(name: str) -> Maker:
    def make(_: Case, data: Data) -> Contender:
        convolve = load(name).convolve
        return Contender(lambda: convolve(data.x, data.w, data.y), lambda places: data.y[places])

    return make


def simd(features: str | None = None, stores: str = ORDINARY) -> Maker:
    def make(_: Case, data: Data) -> Contender:
        compiler = Compiler(features=features, stores=stores)
        return Contender(lambda: compiler.convolve(data.x, data.w, data.y), lambda places: data.y[places])

    return make


def torch_contender(channels_last: bool) -> Maker:
    def make(_: Case, data: Data) -> Contender:
        import torch

        torch.set_num_threads(1)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        w = torch.from_numpy(data.w).contiguous(memory_format=layout)
        x = torch.from_numpy(data.x).contiguous(memory_format=layout)  # converted off the clock
        pieces = x.split(TORCH_IMAGES)

        def call() -> None:
            with torch.inference_mode():
                for piece in pieces:
                    torch.nn.functional.conv2d(piece, w)

        def images(places: list[int]) -> Array:
            with torch.inference_mode():
                result: Array = torch.nn.functional.conv2d(x[places], w).contiguous().numpy()
            return result

        return Contender(call, images)

    return make


def onnxruntime_contender(case: Case, data: Data) -> Contender:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = onnx_model.convolution(case.x_shape, data.w, case.y_shape)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for bind, name, array in ((binding.bind_input, "x", data.x), (binding.bind_output, "y", data.y)):
        bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    return Contender(lambda: session.run_with_iobinding(binding), lambda places: data.y[places])


def copy_limit(streamed: bool) -> Maker:
    def make(_: Case, data: Data) -> Contender:
        copy = Copy(streamed)
        return Contender(lambda: copy(data.x, data.y))

    return make


def fma_limit(case: Case, _: Data) -> Contender:
    run = MultiplyAdd(Compiler().level.lanes)
    return Contender(lambda: run(case.multiply_adds))


COPIES = ("copy-ordinary", "copy-streamed")
CONTENDERS: dict[str, Maker] = {
    "naive": backend("naive"),
    "numpy": backend("numpy"),
    "simd": backend("simd"),
    "simd-non-temporal": simd(stores=NON_TEMPORAL),
    "simd-avx2": simd("avx2"),
    "simd-avx2-non-temporal": simd("avx2", NON_TEMPORAL),
    "torch-nchw": torch_contender(channels_last=False),
    "torch-nhwc": torch_contender(channels_last=True),
    "onnxruntime": onnxruntime_contender,
    "copy-limit": copy_limit(streamed=False),  # stands for both copies: see `measure`
    "fma-limit": fma_limit,
}


def reference(x: Array, w: Array) -> NDArray[np.float64]:
    """Eq. 1 in float64."""
    rows, columns = x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1
    y = np.zeros((x.shape[0], w.shape[0], rows, columns))
    for i, j in np.ndindex(w.shape[2], w.shape[3]):
        y += np.einsum("bchw,oc->bohw", x[:, :, i : i + rows, j : j + columns].astype(np.float64), w[:, :, i, j])
    return y


def make_data(case: Case) -> Data:
    rng = np.random.default_rng(1)
    data = Data(aligned(case.x_shape), aligned(case.w_shape), aligned(case.y_shape))
    data.w[...] = rng.standard_normal(case.w_shape)
    for image in data.x:
        rng.random(out=image, dtype=np.float32)
    return data


def make_contenders(case: Case, data: Data, names: list[str]) -> dict[str, Contender]:
    """Those that can run here; says which can't, and why."""
    made = {}
    for name in names:
        try:
            made[name] = CONTENDERS[name](case, data)
        except (ImportError, RuntimeError, ValueError) as error:
            print(f"{case.name}: {name} skipped: {error}", file=sys.stderr)
    if "copy-limit" in made:
        del made["copy-limit"]
        made |= {name: copy_limit(name == "copy-streamed")(case, data) for name in COPIES}
    return made


def measure(case: Case, names: list[str], repeats: int) -> list[dict[str, Any]]:
    """Entries of one case, in the order of `CONTENDERS`."""
    data = make_data(case)
    contenders = make_contenders(case, data, names)
    places = sorted({0, case.x_shape[0] // 2, case.x_shape[0] - 1})
    expected = reference(data.x[places], data.w)
    errors = {name: error_of(contender, data, places, expected) for name, contender in contenders.items()}
    timings = interleaved({name: contender.call for name, contender in contenders.items()}, repeats, MOST_S)
    if timings.keys() >= set(COPIES):
        faster = min(COPIES, key=lambda name: timings[name].median_s)
        timings["copy-limit"], errors["copy-limit"] = timings[faster], None
    return [entry(case, name, timings[name], errors[name]) for name in CONTENDERS if name in timings]


def error_of(contender: Contender, data: Data, places: list[int], expected: NDArray[np.float64]) -> float | None:
    """Largest absolute error over the images at these places; None for a limit, which computes no y."""
    if contender.images is None:
        return None
    data.y[...] = np.nan
    contender.call()
    return float(np.abs(contender.images(places) - expected).max())


def entry(case: Case, name: str, timing: Timing, error: float | None) -> dict[str, Any]:
    return {
        "case": case.name,
        "contender": name,
        "median_s": timing.median_s,
        "minimum_s": timing.minimum_s,
        "repeats": len(timing.samples_s),
        "error": error,
    }


def table(entries: list[dict[str, Any]]) -> str:
    """Markdown: milliseconds, and how many times the greater of the two limits that is."""
    lines = [
        "| case | contender | median ms | minimum ms | x limit | x simd | error |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for case in dict.fromkeys(entry["case"] for entry in entries):
        own = {entry["contender"]: entry for entry in entries if entry["case"] == case}
        limit = max((own[name]["median_s"] for name in ("copy-limit", "fma-limit") if name in own), default=None)
        ours = own["simd"]["median_s"] if "simd" in own else None
        for name, entry in own.items():
            ratios = (f"{entry['median_s'] / base:.2f}" if base else "" for base in (limit, ours))
            error = "" if entry["error"] is None else f"{entry['error']:.1e}"
            times = f"{1e3 * entry['median_s']:.3f} | {1e3 * entry['minimum_s']:.3f}"
            lines.append(f"| {case} | {name} | {times} | {' | '.join(ratios)} | {error} |")
    return "\n".join(lines) + "\n"


def draw(path: Path, entries: list[dict[str, Any]], cpu: str) -> None:
    """The roofline of the cases whose limits were measured."""
    cases = {case.name: case for case in CASES}
    medians = {(entry["case"], entry["contender"]): entry["median_s"] for entry in entries}
    roofs, points = {}, []
    for (name, contender), median_s in medians.items():
        case = cases[name]
        if not {(name, "fma-limit"), (name, "copy-limit")} <= medians.keys():
            continue
        if contender == "fma-limit":
            roofs[name] = (2 * case.multiply_adds / median_s, case.moved_bytes / medians[name, "copy-limit"])
        elif contender != "copy-limit":
            operations = 2 * case.multiply_adds
            points.append(roofline.Point(name, contender, operations / case.moved_bytes, operations / median_s))
    if points:
        roofline.draw(path, points, roofs, f"Convolution, one thread, {cpu}")


def chosen(text: str | None, known: list[str], what: str) -> list[str]:
    """The names of a comma-separated list. Exits with status 2 for an unknown one."""
    names = known if text is None else text.split(",")
    if unknown := [name for name in names if name not in known]:
        print(f"{what} {', '.join(unknown)}: unknown; give some of {', '.join(known)}", file=sys.stderr)
        raise SystemExit(2)
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", help=f"comma-separated: {', '.join(case.name for case in CASES)}")
    parser.add_argument("--contenders", help=f"comma-separated: {', '.join(CONTENDERS)}")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: give at least 1")
    names = chosen(options.contenders, list(CONTENDERS), "contenders")
    cases = chosen(options.cases, [case.name for case in CASES], "cases")
    keep_freed_memory()
    about = machine.describe()
    entries: list[dict[str, Any]] = []
    for case in CASES:
        if case.name in cases:
            measured = measure(case, names, options.repeats)
            print(table(measured), flush=True)
            entries += measured
    options.out.mkdir(parents=True, exist_ok=True)
    heading = f"{about['cpu']} ({about['llvm_cpu']}), one thread, {about['date']}\n\n"
    (options.out / "convolution.md").write_text(heading + table(entries))
    try:
        draw(options.out / "convolution.svg", entries, str(about["cpu"]))
    except ImportError as error:
        print(f"no picture: {error}", file=sys.stderr)
    write_json(options.out / "convolution.json", {"schema_version": SCHEMA_VERSION, "machine": about, "cases": entries})


if __name__ == "__main__":
    main()
