"""Runs on GPUs against what a probe measured of these, and against what no GPU can do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.audit import gates, gpus
from results.audit.gpus import LimitShares, shares
from results.audit.sweep import audit_of
from results.records.gpus import GpuLimits, ProbedGpus
from results.records.sweep import RecordedSweep, read_sweep
from results.tables.convolution.gpu_limits import tables
from tests.results.conftest import SweepMaker
from tests.results.records.test_gpus import LIMITS
from workload.domain.problem import Problem
from workload.record.schema import SCHEMA_VERSION

PAPER = Problem(16, 3, 3, 1024, 1024, 3)
LINK_S = LIMITS.at_once_s(PAPER.x_bytes, PAPER.y_bytes)
KERNEL_S = LIMITS.copy_s(PAPER.x_bytes + PAPER.y_bytes)
FLOPS_S = PAPER.flops / LIMITS.flops_per_s
Change = Callable[[dict[str, Any]], None]


def busy(*uuids: str, kernel_s: float = KERNEL_S, total_s: float | None = None) -> Change:
    """A record of a run on these GPUs, a rank each, which the kernel keeps busy for so long."""

    def change(record: dict[str, Any]) -> None:
        record["devices"] = [{"rank": rank, "uuid": uuid} for rank, uuid in enumerate(uuids)]
        for repeat in (*record["repeats"], *record["warmup_repeats"]):
            for rank in repeat["ranks"]:
                rank.pop("yardstick_flops_per_s", None)
                parts_s = {"distribute": 1e-3, "convolve": kernel_s, "collect": 1e-3}
                rank["device_s"] = {**parts_s, "total": sum(parts_s.values()) if total_s is None else total_s}

    return change


def add(maker: SweepMaker, change: Change, forward_s: float, launches: int = 3, **changes: Any) -> None:
    for launch in range(launches):
        maker.add(
            "strong", law=lambda _: forward_s, change=change, launch=launch, problem=PAPER, movement="device",
            backend="cuda", **changes,
        )  # fmt: skip


def read(maker: SweepMaker, limits: ProbedGpus | None = None) -> RecordedSweep:
    """The sweep, with these in its ledger."""
    folder = maker.finish()
    if limits is not None:
        _foretell(folder, limits.document())
    return read_sweep(folder)


def _foretell(folder: Path, document: object) -> None:
    first, *others = (folder / "ledger.jsonl").read_text().splitlines()
    event = {
        "schema_version": SCHEMA_VERSION, "event": "forecast", "utc": "2026-01-01T00:00:01+00:00", "forecasts": {},
        "left_out": {}, "residuals": 0, "probe": {"cluster": "local", "gpus": document},
    }  # fmt: skip
    (folder / "ledger.jsonl").write_text("\n".join([first, json.dumps(event), *others]) + "\n")


ONE = ProbedGpus(1, (LIMITS,))


def flagged(sweep: RecordedSweep) -> set[str]:
    return {finding.gate for finding in audit_of(sweep).findings} & {gates.RATE, gates.LIMIT, gates.OUTSIDE_MPI}


def test_shares_are_the_least_times_over_the_measured(maker: SweepMaker) -> None:
    maker.noise = 0.0
    add(maker, busy("a", kernel_s=2 * KERNEL_S), 4 * LINK_S, launches=1)
    sweep = read(maker, ONE)
    (launch,) = sweep.launches
    assert gpus.used(launch)
    found = shares(launch, ONE)
    assert found == LimitShares(
        link=pytest.approx(0.25, rel=1e-3),
        copy=pytest.approx(0.5),
        flops=pytest.approx(FLOPS_S / KERNEL_S / 2),
    )


def test_ranks_of_one_gpu_share_its_link_and_those_of_several_do_not(maker: SweepMaker) -> None:
    maker.noise = 0.0
    add(maker, busy("a", "a"), LINK_S, launches=1, ranks=2)
    add(maker, busy("a", "b", "a", "b"), LINK_S, launches=1, ranks=4)
    sweep = read(maker, ProbedGpus(2, (LIMITS, GpuLimits(2, 10e9, 10e9, 20e9, 5e11, 5e13, 1e-5))))
    two, four = sorted(sweep.launches, key=lambda launch: launch.run.ranks)
    limits = gpus.probed(sweep)
    assert limits is not None
    assert shares(two, limits).link == pytest.approx(1.0, rel=1e-3)
    at_two = limits.at(2).at_once_s(PAPER.x_bytes / 2, PAPER.y_bytes / 2)
    assert shares(four, limits).link == pytest.approx(at_two / LINK_S, rel=1e-3)


def test_honest_runs_are_not_accused_with_and_without_limits(maker: SweepMaker) -> None:
    add(maker, busy("a", kernel_s=1.1 * KERNEL_S), 1.2 * LINK_S)
    assert flagged(read(maker)) == set()
    found = audit_of(read(maker, ONE))
    assert not {gates.RATE, gates.LIMIT, gates.OUTSIDE_MPI} & {finding.gate for finding in found.findings}
    assert {gates.RATE, gates.LIMIT, gates.OUTSIDE_MPI} <= {*found.passed}


@pytest.mark.parametrize(
    ("change", "forward_s", "gate"),
    [
        (busy("a"), 0.6 * LINK_S, gates.RATE),  # faster than the link
        (busy("a", kernel_s=0.6 * FLOPS_S), 2 * LINK_S, gates.RATE),  # faster than its multiply-adds
        (busy("a", kernel_s=0.9 * PAPER.flops / gates.GPU_LIMIT), 2 * LINK_S, gates.LIMIT),
        (busy("a", total_s=9.0), 2 * LINK_S, gates.OUTSIDE_MPI),  # the host was done before its GPU
    ],
)
def test_what_no_gpu_does_is_found(maker: SweepMaker, change: Change, forward_s: float, gate: str) -> None:
    add(maker, change, forward_s)
    assert gate in flagged(read(maker, ONE))


def test_without_a_probe_the_link_is_not_judged(maker: SweepMaker) -> None:
    add(maker, busy("a"), 0.6 * LINK_S)
    sweep = read(maker)
    assert gpus.probed(sweep) is None
    assert flagged(sweep) == set()
    assert gates.RATE in audit_of(sweep).idle


@pytest.mark.parametrize("document", [None, {}, {"count": 1, "by_active": []}, "fast"])
def test_a_ledger_with_no_or_damaged_figures_has_no_limits(maker: SweepMaker, document: object) -> None:
    add(maker, busy("a"), LINK_S)
    folder = maker.finish()
    _foretell(folder, document)
    sweep = read_sweep(folder)
    assert gpus.probed(sweep) is None
    (table,) = tables(sweep, sweep.series[0])
    assert table.rows[0][-3:] == ("—", "—", "—")
    assert "fab probe" in table.notes[-1]


def test_a_record_without_devices_is_not_judged(maker: SweepMaker) -> None:
    def without(record: dict[str, Any]) -> None:
        busy("a")(record)
        record["devices"] = []

    add(maker, without, LINK_S)
    sweep = read(maker, ONE)
    assert not any(map(gpus.used, sweep.launches))
    assert tables(sweep, sweep.series[0]) == []


def test_the_table_has_a_row_for_each_point_on_a_gpu(maker: SweepMaker) -> None:
    maker.noise = 0.001
    add(maker, busy("a", kernel_s=2 * KERNEL_S), 2 * LINK_S, ranks=1)
    maker.add_strong(counts=(2,))
    sweep = read(maker, ONE)
    (table,) = tables(sweep, sweep.series[0])
    assert len(table.rows) == 1
    assert table.records[0]["link_share"] == pytest.approx(0.5, rel=1e-2)
    assert table.records[0]["copy_share"] == pytest.approx(0.5)
    assert table.rows[0][-3].startswith("50% [")
    assert str(table.records[0]["run_ids"]).count(" ") == 2
    maker_of_cores = SweepMaker(maker.folder.parent / "cores")
    maker_of_cores.add_strong(counts=(1,))
    cores = maker_of_cores.read()
    assert tables(cores, cores.series[0]) == []
