from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from results.audit import gates
from results.audit.gates import Finding, certainly_below
from results.audit.scaling import FALSE_ALARMS, chance
from results.audit.sweep import audit_of
from results.estimates import time_estimate
from results.records.sweep import read_sweep
from results.scaling.laws import amdahl, gustafson
from results.tables.sweep.audit import findings as table_of
from tests.marks import thorough
from tests.results.conftest import SMALL
from workload.domain.grid import Grid
from workload.record.run import Run
from workload.record.schema import SCHEMA_VERSION

IMAGE_S = 0.004


def flagged(found: tuple[Finding, ...]) -> set[str]:
    return {finding.gate for finding in found}


def honest(p: float, contention: float) -> tuple[Callable[[Run], float], Callable[[Run], float]]:
    """Strong and weak laws of an honest machine."""

    def strong(run: Run) -> float:
        slowed = 1.0 + contention * (run.ranks - 1)
        return IMAGE_S * run.problem.batch / amdahl(p, run.ranks) * slowed

    def weak(run: Run) -> float:
        return IMAGE_S * run.problem.batch / gustafson(p, run.ranks) * (1.0 + contention * (run.ranks - 1))

    return strong, weak


@pytest.mark.parametrize("seed", [*range(5), *map(thorough, range(5, 20))])
def test_no_honest_sweep_is_accused(make_maker: Callable[..., Any], seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # laws, not secrets
    p, contention = rng.choice((0.9, 0.99, 0.999, 1.0)), rng.choice((0.0, 0.01, 0.05))
    maker = make_maker(f"honest-{seed}", noise=rng.choice((0.02, 0.05, 0.1)), seed=seed, slots=8)
    strong, weak = honest(p, contention)
    counts = rng.choice(((1, 2, 4, 8), (1, 2, 3, 4, 5, 6, 7, 8)))
    maker.add_strong(counts=counts, law=strong)
    maker.add_strong(counts=(1,), law=strong, movement="serial")
    maker.add_strong("by-row", counts=counts[:2], law=strong, backend="naive")
    for launch in range(3):
        for ranks in counts:
            maker.add("weak", "weak", weak, ranks=ranks, batch=4 * ranks, launch=launch)
        maker.add("hybrid", law=strong, ranks=8, grid=Grid(batch=2, row=2, in_channel=2), launch=launch)
    assert audit_of(maker.read()).findings == ()


def ideal(rng: random.Random, launches: int, noise: float, work: float = 1.0) -> list[float]:
    """Times of an ideal program, or of one that does less than its work."""
    return [work * rng.lognormvariate(0.0, noise) for _ in range(launches)]


@pytest.mark.parametrize("noises", [[0.1] * 8, [0.19, 0.02, 0.11, 0.06, 0.06, 0.06, 0.06, 0.06]])
def test_an_ideal_sweep_with_noise_is_hardly_ever_accused(noises: list[float]) -> None:
    rng, accused = random.Random(1), 0  # noqa: S311  # noise, not secrets
    for _ in range(100):
        ones = ideal(rng, 3, noises[0])
        chances = [chance(ideal(rng, 3, noise), ones, 1.0 - gates.MARGIN) for noise in noises]
        accused += min(chances) < FALSE_ALARMS / len(noises)
    assert accused <= 3


def test_half_the_work_is_seen_through_ordinary_noise() -> None:
    rng = random.Random(2)  # noqa: S311  # noise, not secrets
    for _ in range(50):
        times, ones = ideal(rng, 5, 0.03, work=0.5), ideal(rng, 5, 0.03)
        assert chance(times, ones, 1.0 - gates.MARGIN) < FALSE_ALARMS / 8


@pytest.mark.parametrize(("launches", "verdict"), [(1, "suspicious"), (2, "suspicious"), (3, "cannot be")])
def test_fewer_than_three_launches_are_suspicious_at_most(maker: Any, launches: int, verdict: str) -> None:
    maker.add_strong(counts=(1, 2), law=slip, launches=launches)
    found = audit_of(maker.read())
    assert {finding.verdict for finding in found.findings} == {verdict}
    assert flagged(found.findings) == {gates.SHARE, gates.SUPERLINEAR, gates.SERIAL}


@pytest.mark.parametrize("times", [[0.4, 0.4, 0.4], [0.6, 0.6, 0.6]])
def test_times_without_any_noise_decide(times: list[float]) -> None:
    assert chance(times, [1.0, 1.0, 1.0], 0.5) == (0.0 if times[0] < 0.5 else 1.0)


def slip(run: Run) -> float:
    """Work a rank falls as 1 / N^2."""
    return IMAGE_S * run.problem.batch / run.ranks**2


def test_a_sweep_with_the_slip_is_flagged_on_every_count(maker: Any) -> None:
    maker.add_strong(counts=(1, 2, 4, 8), law=slip)
    for launch in range(3):
        for ranks in (1, 2, 4):
            maker.add("weak", "weak", slip, ranks=ranks, batch=4 * ranks, launch=launch)
    sweep = maker.read()
    found = audit_of(sweep)
    assert flagged(found.findings) == {gates.SHARE, gates.SUPERLINEAR, gates.SERIAL, gates.WEAK_FALLS, gates.RATE}
    strong = [finding for finding in found.findings if finding.gate == gates.SERIAL]
    assert [f"{n} ranks" in finding.where for n, finding in zip((2, 4, 8), strong, strict=True)] == [True] * 3
    assert all(finding.grade == gates.NUMBERS for finding in found.findings)
    ids = {launch.run_id for launch in sweep.launches}
    several = [finding for finding in found.findings if finding.gate != gates.RATE]
    assert all(len(finding.evidence) == 6 and set(finding.evidence) <= ids for finding in several)
    assert gates.MEMORY in found.passed


def test_a_baseline_short_of_memory_explains_a_superlinear_speedup(maker: Any) -> None:
    def paging(record: dict[str, Any]) -> None:
        if record["run"]["ranks"] == 1:
            record["repeats"][0]["memory_bound"] = True

    maker.add_strong(counts=(1, 2), law=slip, change=paging)
    found = audit_of(maker.read())
    assert found.findings == ()
    told, _ = found.untold
    assert "is not flagged: the one-rank run waited for pages from disk." in told


ONE_RANK_BYTES = SMALL.x_bytes + SMALL.y_bytes


@pytest.mark.parametrize(
    ("caches", "explained"),
    [
        ([{"bytes": 2**15, "threads": 1}, {"bytes": ONE_RANK_BYTES - 1, "threads": 1}], True),
        ([{"bytes": ONE_RANK_BYTES, "threads": 1}], False),  # the one-rank run fits it as well
        ([{"bytes": ONE_RANK_BYTES - 1, "threads": 2}], False),  # the parts share it
        ([{"bytes": ONE_RANK_BYTES // 4, "threads": 1}], False),  # not even a part fits it
        ([{"bytes": "big", "threads": 1}, {"bytes": 2**20}, 5], False),
        ([], False),
        (None, False),
    ],
)
def test_parts_that_fit_a_cache_explain_a_superlinear_speedup(maker: Any, caches: object, explained: bool) -> None:
    def cached(record: dict[str, Any]) -> None:
        record["machines"][0]["caches"] = caches

    maker.add_strong(counts=(1, 2), law=slip, change=cached)
    found = audit_of(maker.read())
    assert flagged(found.findings) == (set() if explained else {gates.SHARE, gates.SUPERLINEAR, gates.SERIAL})
    assert [line.endswith("the one-rank run's input and output do not.") for line in found.untold[:-1]] == [
        True
    ] * explained


@pytest.mark.parametrize(
    ("copies", "explained"),
    [
        ({"memory": 1e10, "cache": [[1, 1.2e10], [2, 2e10]]}, False),  # 1.8 times faster at the most, and it is 2.0
        ({"memory": 1e10, "cache": [[1, 1.6e10], [2, 2e10]]}, True),
        ({"memory": 1e10, "cache": [[1, 1.2e10], [2, 4e10]]}, True),
        ({"memory": 1e10, "cache": [[1, 1.2e10], [16, 4e11]]}, False),  # of more ranks than are on the node
        ({"memory": 2e10, "cache": [[1, 1e10]]}, False),  # slower than memory: no faster than its share
        (None, True),
        ({"memory": 0.0, "cache": [[1, 1e10]]}, True),
        ({"memory": 1e10, "cache": [[1, "fast"], [1], 5, [0, 1e10]]}, True),
        ({"memory": 1e10, "cache": 3}, True),
    ],
)
def test_a_cache_explains_no_more_than_the_probes_copies_allow(maker: Any, copies: object, explained: bool) -> None:
    def cached(record: dict[str, Any]) -> None:
        record["machines"][0]["caches"] = [{"bytes": ONE_RANK_BYTES - 1, "threads": 1}]

    maker.add_strong(counts=(1, 2), law=slip, change=cached)
    event = {"event": "forecast", "utc": "2026-01-01T00:00:01+00:00", "probe": {"copy_bytes_per_s": copies}}
    with (maker.finish() / "ledger.jsonl").open("a") as file:
        file.write(json.dumps({"schema_version": SCHEMA_VERSION, **event}) + "\n")
    found = audit_of(read_sweep(maker.folder))
    superlinear = [finding for finding in found.findings if finding.gate == gates.SUPERLINEAR]
    assert bool(superlinear) != explained
    assert any("is not flagged: the ranks' parts fit a cache" in line for line in found.untold) == explained
    if superlinear:
        assert "more than the cause in evidence allows: the ranks' parts fit a cache" in superlinear[0].words


def change_blocks(record: dict[str, Any]) -> None:
    record["blocks"][0]["batch"] = [1, 9]


def change_elements(record: dict[str, Any]) -> None:
    record["blocks"][0]["output_elements"] -= 1


def change_memory(record: dict[str, Any]) -> None:
    record["memory"][1]["peak_rss_bytes"] = 100_000


def change_mpi(record: dict[str, Any]) -> None:
    for rank in record["repeats"][1]["ranks"]:
        rank["mpi_s"] = rank["app_s"]


def change_convolve(record: dict[str, Any]) -> None:
    record["repeats"][0]["ranks"][0]["phases_s"]["convolve"] = 1e-9


def change_cpu(record: dict[str, Any]) -> None:
    record["repeats"][0]["ranks"][0]["cpu_s"] = 10 * record["repeats"][0]["total_s"] + 1.0


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_blocks, {gates.COVERAGE}),
        (change_elements, {gates.COVERAGE}),
        (change_memory, {gates.MEMORY, gates.PREDICTION}),
        (change_mpi, {gates.OUTSIDE_MPI}),
        (change_convolve, {gates.LIMIT, gates.SUM}),
        (change_cpu, {gates.CPU}),
    ],
)
def test_each_gate_flags_what_it_is_for(
    maker: Any, change: Callable[[dict[str, Any]], None], expected: set[str]
) -> None:
    maker.add("strong", ranks=2, change=change)
    found = audit_of(maker.read())
    assert flagged(found.findings) == expected
    assert not expected & {*found.passed, *found.idle}


def test_no_limit_of_a_core_flags_a_gpu(maker: Any) -> None:
    maker.add("strong", ranks=2, movement="device", backend="cuda", change=change_convolve)
    found = audit_of(maker.read())
    assert gates.LIMIT not in flagged(found.findings)
    assert {gates.LIMIT, gates.OUTSIDE_MPI, gates.RATE} <= {*found.idle}


def test_two_ranks_on_a_light_node_are_flagged(make_maker: Callable[..., Any]) -> None:
    for profile, expected in (("light", {gates.NODES}), ("fat", set())):
        maker = make_maker(profile, profile=profile)
        maker.add("strong", ranks=2)
        assert flagged(audit_of(maker.read()).findings) == expected


def test_the_replay_goes_through_no_gate_and_that_is_said(maker: Any) -> None:
    maker.add_strong(counts=(1, 2))
    for ranks in (1, 2):
        maker.add("strong", movement="replica", ranks=ranks, outcome="ok" if ranks == 1 else "wrong_answer", law=slip)
    found = audit_of(maker.read())
    assert found.findings == ()
    assert found.untold[0] == "2 runs of the replay, wrong on purpose, went through no gate of its numbers."


def test_only_what_lies_beyond_the_noise_is_certain() -> None:
    steady, noisy = time_estimate([0.445, 0.45, 0.455]), time_estimate([0.3, 0.45, 0.6])
    assert certainly_below(steady, 0.5)
    assert not certainly_below(noisy, 0.5)
    assert not certainly_below(time_estimate([0.46]), 0.5), "a lone value needs a wider margin"
    assert certainly_below(time_estimate([0.44]), 0.5)


def test_the_table_names_runs_and_gates_that_found_nothing(maker: Any) -> None:
    maker.add_strong(counts=(1, 2), law=slip)
    found = audit_of(maker.read())
    table = table_of(found)
    assert len(table.rows) == len(found.findings) == 3
    assert "and 3 more" in table.rows[0][5]
    assert len(str(table.records[0]["run_ids"]).split()) == 6
    assert any(note.startswith("Nothing was flagged by: ") and gates.LIMIT in note for note in table.notes)
    assert replace(found, findings=()).findings == ()
