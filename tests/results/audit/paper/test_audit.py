from __future__ import annotations

import copy
from typing import Any

import pytest

from results.audit import gates
from results.audit.gates import CODE, NUMBERS, REPLAY, Finding
from results.audit.paper import hypotheses, published
from results.audit.paper.audit import ClusterEvidence, PublishedAudit, audit_published
from results.audit.paper.hypotheses import INPUT_ALONE, TWICE, MemoryRow, TimedRow
from results.tables.convolution.published_audit import tables
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.movement.descriptions.footprint import predict
from workload.movement.descriptions.replica import replica_images

PAPERS = Problem(80, 3, 3, 1024, 1024, 3)
FLOOR = "floor(floor(B/N)/N)"


@pytest.fixture(scope="module")
def made() -> PublishedAudit:
    return audit_published()


def of(made: PublishedAudit, gate: str, grade: str = NUMBERS) -> list[Finding]:
    return [finding for finding in made.audit.findings if (finding.gate, finding.grade) == (gate, grade)]


def cluster(made: PublishedAudit, name: str) -> ClusterEvidence:
    return next(each for each in made.evidence if each.cluster == name)


def test_nine_of_twelve_times_lie_below_the_least_that_honest_work_takes(made: PublishedAudit) -> None:
    rows = [finding for finding in of(made, gates.SHARE) if "all rows" not in finding.where]
    assert len(rows) == 9
    assert len(of(made, gates.SUPERLINEAR)) == 9
    assert len(of(made, gates.SERIAL)) == 4
    assert len(of(made, gates.WEAK_FALLS)) == 5


def test_the_fat_times_decide_for_the_batch_divided_twice(made: PublishedAudit) -> None:
    fat = cluster(made, "fat")
    assert [fitted.name for fitted in fat.work] == [FLOOR, "B/N^2", "B/N"]
    assert fat.work_separated
    best = fat.work[0]
    assert best.worst_error < 0.01
    assert best.image_s == pytest.approx(0.549, abs=0.001)
    assert best.bytes_per_s == pytest.approx(5.4e9, rel=0.01)
    assert fat.work[-1].median_error == pytest.approx(0.62, abs=0.01)
    assert any("follow " + FLOOR in finding.words for finding in of(made, gates.SHARE))


def test_the_light_times_are_consistent_with_it_and_decide_nothing(made: PublishedAudit) -> None:
    light = cluster(made, "light")
    assert light.work[0].name == FLOOR
    assert not light.work_separated
    assert light.work[0].median_error == pytest.approx(0.11, abs=0.01)
    assert light.work[0].worst_error == pytest.approx(0.45, abs=0.01)
    assert any("decide nothing alone" in finding.words for finding in of(made, gates.SHARE))


def test_the_light_memory_is_a_second_witness_and_the_fat_memory_tells_nothing(made: PublishedAudit) -> None:
    light, fat = cluster(made, "light"), cluster(made, "fat")
    assert light.memory[0].name == TWICE
    assert light.memory_separated
    assert light.memory[0].worst_mib < 7.0
    (finding,) = of(made, gates.MEMORY)
    assert finding.where == "light, all rows"
    assert "B = 40: a rank has 76.0 MiB and would need" in finding.words
    assert fat.memory[0].name == INPUT_ALONE
    assert any("8 rows of the fat cluster" in line and "too early" in line for line in made.audit.untold)


def test_tables_2_and_3_and_a_printed_sum_are_found(made: PublishedAudit) -> None:
    (ranges,) = of(made, gates.COVERAGE)
    assert "cover 4 images, the printed output holds 20" in ranges.words
    (outside,) = of(made, gates.OUTSIDE_MPI)
    assert outside.where == "ranks 1, 2, 3 of 4"
    assert "is waiting" in outside.words
    (total,) = of(made, gates.SUMS)
    assert "1590 is printed" in total.words
    assert "1566" in total.words


def test_efficiency_beside_gustafson_is_found_with_what_is_like_it(made: PublishedAudit) -> None:
    fat, light = of(made, gates.AGAINST)
    assert "N T1/TN = 50.7" in fat.words
    assert "N T1/TN = 3.17" in light.words
    assert "law; like for like" in fat.words
    assert fat.evidence == ("Figure 4",)


def test_the_unexplained_is_listed(made: PublishedAudit) -> None:
    text = "\n".join(made.audit.unexplained)
    assert text.count("was killed") == 2
    assert "8.0 GB together" in text
    assert "light weak, N = 8, B = 80: even floor(floor(B/N)/N) misses the published time by 33%" in text
    assert "published as 10.52 and 7.823 s: 35% apart" in text


def test_grades_are_kept_apart(made: PublishedAudit) -> None:
    assert {finding.grade for finding in made.audit.findings} == {NUMBERS, CODE}
    assert all("commit 3dc1f3b" in finding.evidence[0] for finding in made.audit.findings if finding.grade == CODE)
    assert any(line.startswith("No replay was given") for line in made.audit.untold)


def test_a_replay_is_the_third_grade(maker: Any) -> None:
    maker.noise = 0.001
    for ranks in (1, 2, 4, 8):
        outcome = "ok" if ranks == 1 else "wrong_answer"
        law = lambda run: 0.004 * replica_images(run.problem.batch, run.ranks)  # noqa: E731
        for launch in range(3):
            kind = {"movement": "replica", "ranks": ranks, "batch": 64, "outcome": outcome, "launch": launch}
            maker.add("strong", law=law, **kind)
    (finding,) = [each for each in audit_published([maker.read()]).audit.findings if each.grade == REPLAY]
    assert "CPU seconds of convolve, at equal core speed, follow floor(floor(B/N)/N) at N = 2, 4, 8" in finding.words
    assert len(finding.evidence) == 9


def _slowed(record: dict[str, Any]) -> None:
    """Somebody else is on the cores of all ranks but one, in every repeat but the first."""
    for number, repeat in enumerate(record["repeats"]):
        for rank in repeat["ranks"]:
            slow = 1.0 if rank["rank"] == number == 0 else 1.7
            rank["convolve_cpu_s"] *= slow
            rank["yardstick_flops_per_s"] = [1e9 / slow, 1e9 / slow]


def _without_yardstick(record: dict[str, Any]) -> None:
    for repeat in record["repeats"]:
        for rank in repeat["ranks"]:
            del rank["yardstick_flops_per_s"]


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (replica_images, "convolve, at equal core speed, follow"),
        (lambda batch, ranks: batch // ranks, "convolve, at equal core speed, do not follow"),  # each rank its share
    ],
)
def test_cores_that_others_slow_do_not_hide_what_a_replay_convolved(maker: Any, images: Any, words: str) -> None:
    maker.noise = 0.001
    for ranks in (1, 2, 4):
        outcome = "ok" if ranks == 1 else "wrong_answer"
        law = lambda run: 0.004 * images(run.problem.batch, run.ranks)  # noqa: E731
        maker.add("strong", law=law, change=_slowed, movement="replica", ranks=ranks, batch=64, outcome=outcome)
    (finding,) = [each for each in audit_published([maker.read()]).audit.findings if each.grade == REPLAY]
    assert words in finding.words


def test_a_replay_without_a_yardstick_is_judged_by_its_cpu_seconds(maker: Any) -> None:
    for ranks in (1, 2):
        outcome = "ok" if ranks == 1 else "wrong_answer"
        law = lambda run: 0.004 * replica_images(run.problem.batch, run.ranks)  # noqa: E731
        kind = {"movement": "replica", "ranks": ranks, "batch": 64, "outcome": outcome}
        maker.add("strong", law=law, change=_without_yardstick, **kind)
    (finding,) = [each for each in audit_published([maker.read()]).audit.findings if each.grade == REPLAY]
    assert "CPU seconds of convolve follow" in finding.words


def test_all_sixteen_residuals_are_printed(made: PublishedAudit) -> None:
    names = [table.name for table in tables(made)]
    assert names == ["audit-published"] + [
        f"audit-{what}-{name}" for name in ("fat", "light") for what in ("work", "times", "memory")
    ]
    residuals = [table for table in tables(made) if table.name.startswith("audit-times")]
    assert sum(len(table.rows) for table in residuals) == 16


def honest_document() -> dict[str, Any]:
    """The published tables as honest work would have left them: same sizes, other times and memory."""
    document: dict[str, Any] = copy.deepcopy(dict(published.document()))
    for row in document["runs"]:
        if row["time_s"] is None:
            continue
        problem = Problem(**{**PAPERS.as_dict(), "batch": row["batch"]})
        found = predict(problem, Grid(batch=row["processes"]), "scatter-gather")
        row["time_s"] = 0.55 * row["batch"] / row["processes"] + found.moved_bytes / 5e9
        row["memory_per_rank_mb"] = [40 + size / 2**20 for size in found.array_bytes]
        row["memory_total_mb"] = sum(row["memory_per_rank_mb"])
    local, profile = document["local_pre_experiment"], document["mpi_profile"]
    local["batch_ranges_printed"] = [[0, 5], [5, 10], [10, 15], [15, 20]]
    for row in profile["rows"]:
        row["mpi_time_s"] = 0.1
    document["figures"] = []
    return document


def test_honest_tables_of_the_same_sizes_are_not_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    document = honest_document()
    monkeypatch.setattr(published, "document", lambda: document)
    made = audit_published()
    assert [finding for finding in made.audit.findings if finding.grade == NUMBERS] == []
    assert {each.work[0].name for each in made.evidence} == {"B/N"}
    assert all(each.work_separated for each in made.evidence)


@pytest.mark.parametrize("name", list(hypotheses.WORK))
def test_times_made_from_a_hypothesis_give_it_back(name: str) -> None:
    rows = []
    for ranks, batch in ((1, 80), (2, 80), (4, 80), (8, 84), (1, 10), (2, 20), (4, 44), (8, 83)):
        problem = Problem(**{**PAPERS.as_dict(), "batch": batch})
        moved = predict(problem, Grid(batch=ranks), "scatter-gather").moved_bytes
        time_s = 0.5 * hypotheses.WORK[name](batch, ranks) + moved / 1e9
        rows.append(TimedRow(f"{ranks} {batch}", problem, ranks, time_s))
    best, *_ = hypotheses.rank_work(rows)
    assert best.name == name
    assert best.image_s == pytest.approx(0.5, rel=1e-3)
    assert best.bytes_per_s == pytest.approx(1e9, rel=1e-3)
    assert best.worst_error < 1e-3


@pytest.mark.parametrize("name", list(hypotheses.HELD))
def test_memory_made_from_a_hypothesis_gives_it_back(name: str) -> None:
    rows = [
        MemoryRow(
            f"{ranks}", PAPERS, ranks, [30.0 + hypotheses.HELD[name](PAPERS, ranks, rank) for rank in range(ranks)]
        )
        for ranks in (1, 2, 4, 8)
    ]
    best, *_ = hypotheses.rank_memory(rows)
    assert best.name == name
    assert best.base_mib == pytest.approx(30.0)
    assert best.worst_mib < 1e-6
