"""GPUs beside the cores of one sweep: who is ahead, where the crossing lies, what disturbed, what a dollar buys."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from results.comparison import gpu
from results.comparison.gpu import CORES, GPU, GpuRow
from results.formats import estimate
from results.records.marks import HELD_BACK, SHARED_GPU
from results.records.sweep import RecordedSweep, read_sweep
from results.report.page import make
from results.report.samples import samples_csv
from results.tables.convolution import gpu as tables
from tests.results.conftest import SMALL, SweepMaker
from workload.domain.problem import Problem
from workload.record.files import read_json, write_json
from workload.record.run import Run
from workload.record.schema import DEVICE_PARTS

ON_GPU = {"movement": "device", "backend": "cuda"}
COPY, PAPER = Problem(16, 3, 3, 64, 64, 1), SMALL  # few operations a byte, and more
DEEP = Problem(16, 64, 64, 32, 32, 3)
Change = Callable[[dict[str, Any]], None]


def with_gpu(kernel: float, *uuids: str) -> Change:
    """What a run on GPUs adds, and does without; the kernel takes so much of the forward time."""

    def change(record: dict[str, Any]) -> None:
        record["devices"] = [{"rank": rank, "uuid": uuid} for rank, uuid in enumerate(uuids or ("a",))]
        for repeat in (*record["warmup_repeats"], *record["repeats"]):
            for rank in repeat["ranks"]:
                del rank["yardstick_flops_per_s"]
                forward_s = repeat["forward_s"]
                rank["device_s"] = dict(
                    zip(
                        DEVICE_PARTS,
                        (0.3 * forward_s, kernel * forward_s, 0.2 * forward_s, 0.9 * forward_s),
                        strict=True,
                    )
                )

    return change


def law(seconds: float) -> Callable[[Run], float]:
    return lambda run: seconds / run.ranks


def beside(
    maker: SweepMaker, problem: Problem, cores_s: float, gpu_s: float, kernel: float = 0.1, launches: int = 3
) -> None:
    """Serial, one and two ranks, and a GPU with the data on the host, in one piece and, faster, in pieces."""
    for launch in range(launches):
        about = {"problem": problem, "launch": launch}
        maker.add("cores", law=law(2 * cores_s), movement="serial", **about)
        for ranks in (1, 2):
            maker.add("cores", law=law(2 * cores_s), ranks=ranks, movement="shared", **about)
        maker.add("gpu", law=law(1.5 * gpu_s), change=with_gpu(kernel / 1.5), **about, **ON_GPU)
        pieces = {**ON_GPU, "options": {"chunk_bytes": 2**16}}
        maker.add("pieces", law=law(gpu_s), change=with_gpu(2 * kernel), **about, **pieces)


def three(maker: SweepMaker) -> RecordedSweep:
    """Cores ahead where moving is all, the GPU where computing is; in between nothing tells them apart."""
    maker.noise = 0.01
    beside(maker, DEEP, cores_s=0.4, gpu_s=0.1)
    beside(maker, COPY, cores_s=0.1, gpu_s=0.2)
    beside(maker, PAPER, cores_s=0.2, gpu_s=0.2001)
    return maker.read()


def notes(sweep: RecordedSweep) -> str:
    (made,) = tables.tables(sweep)
    return "\n".join(made.notes)


def test_a_row_a_problem_has_the_fastest_of_each_kind(maker: SweepMaker) -> None:
    found = gpu.rows(three(maker))
    assert [row.tried.convolution.problem for row in found] == [COPY, PAPER, DEEP]
    deep = found[-1]
    assert deep.cores is not None
    assert deep.gpu is not None
    assert deep.resident is not None
    assert (deep.cores.variant.phrase, deep.cores.run.ranks) == ("shared with numpy", 2)
    assert deep.gpu.convolution.options == {"chunk_bytes": 2**16}
    assert deep.resident.convolution.options == {}, "in one piece the kernel runs undisturbed"
    assert deep.ratio is not None
    assert deep.ratio.value == pytest.approx(4.0, rel=0.03)
    assert deep.resident_time is not None
    assert deep.resident_time.value == pytest.approx(0.01, rel=0.03)
    assert deep.resident_time.low < deep.resident_time.value < deep.resident_time.high
    assert deep.resident_ratio is not None
    assert deep.resident_ratio.value == pytest.approx(40.0, rel=0.03)
    assert deep.operations_per_byte == pytest.approx(DEEP.flops / (DEEP.x_bytes + DEEP.y_bytes))


def test_who_is_ahead_where_and_between_which_problems_that_changes(maker: SweepMaker) -> None:
    sweep = three(maker)
    assert [gpu.leader(row.ratio) for row in gpu.rows(sweep)] == [CORES, "", GPU]
    told = notes(sweep)
    ratio = estimate(gpu.rows(sweep)[-1].ratio, 3)
    assert (
        f"With the data on the host the GPU is ahead of the cores: {ratio} times as fast at 3 x 3, 64 to 64 channels, "
        "32 x 32, B = 16." in told
    )
    assert "With the data on the host the cores are ahead of the GPU: 2." in told
    assert "With the data on the host no difference can be claimed at 3 x 3, 3 to 3 channels, 64 x 64, B = 16." in told
    crossing = next(line for line in told.splitlines() if "the crossing lies between" in line)
    assert "(1 x 1, 3 to 3 channels, 64 x 64, B = 16), where the cores are ahead, and " in crossing
    assert crossing.endswith("(3 x 3, 64 to 64 channels, 32 x 32, B = 16), where the GPU is.")
    assert (
        "With the data on the GPU there is no crossing: wherever a difference can be claimed, the GPU is ahead." in told
    )


def test_two_launches_carry_no_claim(maker: SweepMaker) -> None:
    beside(maker, DEEP, cores_s=0.4, gpu_s=0.1, launches=2)
    (row,) = gpu.rows(maker.read())
    assert gpu.leader(row.ratio) == gpu.leader(row.resident_ratio) == ""


def test_a_lead_that_changes_more_than_once_is_said(maker: SweepMaker) -> None:
    maker.noise = 0.01
    for problem, gpu_s in ((COPY, 0.05), (PAPER, 0.4), (DEEP, 0.05)):
        beside(maker, problem, cores_s=0.1, gpu_s=gpu_s)
    told = notes(maker.read())
    assert "With the data on the host operations a byte alone do not decide: the lead changes 2 times" in told
    assert told.count("With the data on the host the crossing lies between") == 2


def with_price(sweep: RecordedSweep, amount: float, nodes: int) -> RecordedSweep:
    path = sweep.folder / "inventory.json"
    document = read_json(path)
    document["nodes"] = [{**document["nodes"][0], "name": f"node{index}"} for index in range(nodes)]
    document["price"] = {"amount_per_hour": amount, "currency": "USD", "date": "2026-01-01"}
    write_json(path, document)
    return read_sweep(sweep.folder)


def test_what_a_dollar_buys_is_of_the_nodes_that_worked_and_only_with_a_price(maker: SweepMaker) -> None:
    sweep = three(maker)
    assert "What a dollar buys is not known" in notes(sweep)
    priced = with_price(sweep, 4.0, nodes=2)
    (made,) = tables.tables(priced)
    deep = made.records[-1]
    for who in ("cores", "gpu"):
        expected = deep[f"{who}_images_per_s"] * 3600 / 2.0
        assert deep[f"{who}_images_per_money"] == pytest.approx(expected)
    assert "at 4.00 USD an hour for the whole cluster, GPUs included" in notes(priced)


def test_what_disturbed_a_gpu_is_said(maker: SweepMaker) -> None:
    def held_back(record: dict[str, Any]) -> None:
        with_gpu(0.1, "a", "a")(record)
        record["machines"][0]["gpus"] = [{"uuid": "a", "held_back_by_heat_s": 9.0}]

    for launch in range(3):
        maker.add("gpu", ranks=2, launch=launch, change=held_back, **ON_GPU)
    sweep = maker.read()
    (made,) = tables.tables(sweep)
    assert made.records[0]["marks"] == f"{SHARED_GPU}, {HELD_BACK}"
    told = "\n".join(made.notes)
    assert "Points marked shared GPU: several of its ranks used one GPU" in told
    assert "no time on cores: nothing to compare with was measured in this sweep" in told


def test_a_problem_whose_runs_on_a_gpu_failed_keeps_its_row_with_the_reason(maker: SweepMaker) -> None:
    maker.add("cores", ranks=2, movement="shared")
    maker.add("gpu", outcome="crashed", **ON_GPU)
    sweep = maker.read()
    (row,) = gpu.rows(sweep)
    assert isinstance(row, GpuRow)
    assert row.cores is not None
    assert (row.gpu, row.ratio, row.resident_ratio) == (None, None, None)
    assert "no time with a GPU: its outcome is crashed." in notes(sweep)


@pytest.mark.thorough
def test_without_a_gpu_there_is_no_such_section(full: SweepMaker) -> None:
    sweep = full.read()
    assert tables.tables(sweep) == []
    assert [table for series in sweep.series for table in tables.of_series(series)] == []
    assert "GPU beside MPI" not in make([sweep.folder]).path.read_text()
    assert "device_s" not in samples_csv([sweep])


@pytest.mark.thorough
def test_the_page_and_the_samples_have_the_times_of_the_gpu(maker: SweepMaker) -> None:
    sweep = three(maker)
    page = make([sweep.folder]).path
    text = page.read_text()
    section = text[text.index("GPU beside MPI") : text.index("Movements and grids")]
    assert section.index("the GPU is ahead of the cores") < section.index("<table>"), (
        "the answer stands first, and once"
    )
    assert section.count("With the data on the host the GPU is ahead of the cores") == 1
    assert section.count("<svg") == 1
    with (page.parent / "figures" / "gpu-ratio.csv").open(newline="") as file:
        drawn = {(row["data"], row["problem"]): float(row["ratio"]) for row in csv.DictReader(file)}
    for row in gpu.rows(sweep):
        assert row.ratio is not None
        assert row.resident_ratio is not None
        assert drawn["data on the host", row.name] == pytest.approx(row.ratio.value)
        assert drawn["data on the GPU", row.name] == pytest.approx(row.resident_ratio.value)
    assert len(drawn) == 6
    with (page.parent / "tables" / "device-pieces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        forward_s = float(row["forward_s"])
        assert float(row["device_total_s"]) == pytest.approx(0.9 * forward_s, rel=0.03)
    samples = list(csv.DictReader(io.StringIO(samples_csv([sweep]), newline="")))
    busy = {(row["movement"], row["phase"]) for row in samples if row["device_s"]}
    assert busy == {("device", part) for part in DEVICE_PARTS if part != "total"}


def test_no_cache_of_a_core_explains_more_speedup_than_gpus(maker: SweepMaker) -> None:
    from results.audit.cache import fits_a_cache

    def cached(record: dict[str, Any]) -> None:
        record["machines"][0]["caches"] = [{"bytes": 3 * (SMALL.x_bytes + SMALL.y_bytes) // 4, "threads": 1}]

    def on_gpus(record: dict[str, Any]) -> None:
        with_gpu(0.1, "a", "b")(record)
        cached(record)

    for ranks in (1, 2):
        maker.add("cores", ranks=ranks, movement="shared", change=cached)
        maker.add("gpu", ranks=ranks, change=on_gpus, **ON_GPU)
    points = {(point.variant.names["movement"], point.run.ranks): point for point in maker.read().points}
    assert fits_a_cache(points["shared", 2], points["shared", 1])
    assert not fits_a_cache(points["device", 2], points["device", 1])
