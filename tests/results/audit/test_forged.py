"""Forged sweeps are caught with the reason; the recorded ones, as they are, are not accused."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from results.audit import gates
from results.audit.gates import Audit
from results.audit.sweep import audit_of
from results.records.sweep import read_sweep
from results.report import audit, contents, summary, verdict
from tests.marks import thorough
from tests.results.audit import forge
from tests.results.audit import forge_measurements as measured
from tests.results.audit.forge import MEASURED, Forgery

NOW = datetime(2026, 11, 27, tzinfo=UTC)
NAMES = ("paper-simd", "paper-naive", "movements", "movements-forecast")

# What is forged, from which recorded sweep, and the gates of which one at least must say so
FORGERIES: dict[str, tuple[str, Callable[[Forgery], None], set[str]]] = {
    "half the work, naive": ("paper-naive", measured.halve_work, {gates.RATE}),
    "half the work, simd": ("paper-simd", measured.halve_work, {gates.RATE}),
    "half the work on many ranks": ("paper-simd", measured.halve_work_of_many, {gates.RATE}),
    "total clock slow": ("paper-simd", measured.scale_clock(0.8, "total_s"), {gates.SUM, gates.SECTIONS}),
    "total clock fast": ("paper-simd", measured.scale_clock(1.25, "total_s"), {gates.SUM, gates.SECTIONS}),
    "forward clock slow": ("paper-simd", measured.scale_clock(0.8, "forward_s"), {gates.FORWARD, gates.SECTIONS}),
    "forward clock fast": ("paper-simd", measured.scale_clock(1.25, "forward_s"), {gates.SECTIONS}),
    "convolve clock slow": ("paper-simd", measured.scale_clock(0.8, "convolve_s"), {gates.SUM}),
    "convolve clock fast": ("paper-simd", measured.scale_clock(1.25, "convolve_s"), {gates.SUM}),
    "a rank's clock slow": ("paper-simd", measured.scale_rank(0.8), {gates.LENGTH}),
    "a rank's clock fast": ("paper-simd", measured.scale_rank(1.25), {gates.LENGTH}),
    "MPI's clock slow": ("paper-simd", measured.scale_agreement(0.8, "wtime_s"), {gates.CLOCKS}),
    "MPI's clock fast": ("paper-simd", measured.scale_agreement(1.25, "wtime_s"), {gates.CLOCKS}),
    "the system's clock fast": ("paper-simd", measured.scale_agreement(1.25, "monotonic_s"), {gates.CLOCKS}),
    "the CPU clock fast": ("paper-simd", measured.scale_cpu, {gates.CPU}),
    "all clocks of the ranks fast": ("paper-simd", measured.lengthen_all, {gates.WALL}),
    "baseline lengthened": ("paper-naive", measured.lengthen_baseline(1.5), {gates.WALL}),
    "launches copied": ("paper-simd", forge.copy_launches, {gates.COPIES}),
    "records reused": ("paper-simd", forge.reuse_records, {gates.LEDGER}),
    "records reused, from a cluster": ("paper-simd", forge.reuse_records_of_a_cluster, {gates.ORDER}),
    "slow launches deleted": ("paper-simd", forge.delete_slow_launches, {gates.LEFT_OUT}),
    "slow launches forgotten": ("paper-simd", forge.forget_slow_launches, {gates.LEFT_OUT}),
    "a run repeated until fast": ("paper-simd", forge.repeat_until_fast, {gates.AGAIN}),
    "memory swapped": ("paper-simd", measured.swap_memory, {gates.MEMORY}),
    "memory swapped, above": ("paper-simd", measured.swap_memory, {gates.PREDICTION}),
    "memory equalised": ("paper-simd", measured.equalise_memory, {gates.PREDICTION}),
    "memory halved": ("paper-simd", measured.halve_memory, {gates.MEMORY}),
    "a rank's blocks dropped": ("paper-simd", measured.drop_rank("blocks"), {gates.PARTS}),
    "a rank's memory dropped": ("paper-simd", measured.drop_rank("memory"), {gates.PARTS}),
    "a rank's calls dropped": ("paper-simd", measured.drop_rank("mpi_calls"), {gates.PARTS}),
    "a rank's times dropped": ("paper-simd", measured.drop_ranks_times, {gates.PARTS}),
    "a rank's times doubled": ("paper-simd", measured.double_ranks_times, {gates.PARTS}),
    "a rank's placement dropped": ("paper-simd", measured.drop_placement, {gates.PARTS}),
    "a rank's work given to another": ("paper-simd", measured.drop_block, {gates.COVERAGE}),
    **{
        f"{key} dropped": ("paper-simd", measured.drop_key(key), {gates.PARTS})
        for key in ("blocks", "memory", "repeats", "run", "machines", "check", "evidence", "clock_agreement")
    },
    "forward below its parts": ("paper-simd", measured.shorten_forward, {gates.FORWARD}),
    "bytes halved": ("paper-simd", measured.halve_bytes, {gates.BYTES}),
    "check failed": ("paper-simd", measured.change_check(passed=False), {gates.CHECK}),
    "check beyond its tolerance": ("paper-simd", measured.change_check(worst_error_over_tolerance=1.5), {gates.CHECK}),
    "check without a number": ("paper-simd", measured.change_check(worst_error_over_tolerance=None), {gates.CHECK}),
    "check of one repeat": ("paper-simd", measured.change_check(repeats_checked=1), {gates.CHECK}),
    "check of half the rows": ("paper-simd", measured.thin_rows, {gates.CHECK}),
    "check without single elements": ("paper-simd", measured.change_check(spots=0), {gates.CHECK}),
    "no check": ("paper-simd", measured.drop_check, {gates.CHECK}),
    "only the best repeat kept": ("paper-simd", forge.keep_best_repeat, {gates.PARTS}),
    "the best repeat copied": ("paper-simd", forge.copy_best_repeat, {gates.COPIES}),
    "baseline of another node": ("paper-simd", forge.rename_baselines_node, {gates.BASELINE}),
    "baseline from elsewhere": ("paper-simd", forge.take_baseline_elsewhere, {gates.ELSEWHERE}),
    "another kind of node": ("paper-simd", forge.take_another_kind_of_node, {gates.ELSEWHERE}),
    "baseline from elsewhere, no facts": (
        "paper-simd",
        forge.take_baseline_elsewhere_without_facts,
        {gates.BASELINE},
    ),
    "baseline of another boot": ("paper-simd", forge.change_boot, {gates.ELSEWHERE}),
    "another code": ("paper-simd", forge.change_code, {gates.ELSEWHERE}),
    "dates in the future": ("paper-simd", forge.shift(1000), {gates.FUTURE}),
    "records' dates in the future": ("paper-simd", forge.shift(1000, ledger=False), {gates.FUTURE}),
    "ledger's dates in the future": ("paper-simd", forge.shift(1000, records=False), {gates.FUTURE}),
    "records' dates in the past": ("paper-simd", forge.shift(-30, ledger=False), {gates.LEDGER}),
    "ends before beginnings": ("paper-simd", forge.swap_dates, {gates.FUTURE}),
    "two runs at once": ("paper-simd", forge.overlap, {gates.ORDER}),
    "two records of one number": ("paper-simd", forge.same_number, {gates.ORDER}),
    "a record that was not planned": ("paper-simd", forge.slip_in_a_record, {gates.LEDGER}),
    "another outcome in the ledger": ("paper-simd", forge.change_outcome, {gates.LEDGER}),
    "no starts in the ledger": ("paper-simd", forge.drop_events("started"), {gates.LEDGER}),
    "a run longer than in the ledger": ("paper-simd", forge.lengthen_a_run, {gates.LEDGER}),
}
# What may have an honest reason, and is therefore suspicious alone
SUSPICIOUS: dict[str, tuple[Callable[[Forgery], None], set[str]]] = {
    "a run broken off until fast": (forge.break_off_until_fast, {gates.AGAIN}),
    "no ledger": (forge.drop_ledger, {gates.PARTS}),
    "no ends in the ledger": (forge.drop_events("ended"), {gates.LEDGER}),
    "baseline of two launches lengthened": (
        measured.lengthen_baseline(3.0),
        {gates.SHARE, gates.SUPERLINEAR, gates.SERIAL, gates.WEAK_FALLS},
    ),
}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trimmed copy of each recorded sweep that is forged."""
    folder = tmp_path_factory.mktemp("recorded")
    for name in ("paper-simd", "paper-naive"):
        forge.recorded(name, folder / name).write()
    return folder


def forged(copies: Path, name: str, change: Callable[[Forgery], None], folder: Path) -> Audit:
    shutil.copytree(copies / name, folder)
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    forgery = Forgery(folder, forge.read_records(folder), [json.loads(line) for line in lines])
    change(forgery)
    return audit_of(read_sweep(forgery.write()), NOW)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_sweep_is_caught_with_the_reason(copies: Path, tmp_path: Path, name: str) -> None:
    sweep, change, expected = FORGERIES[name]
    found = forged(copies, sweep, change, tmp_path / "sweep")
    caught = [finding for finding in found.certain if finding.gate in expected]
    assert caught, [(finding.gate, finding.words) for finding in found.findings]
    assert all(finding.words and finding.where for finding in found.findings)
    assert all(len(finding.words.splitlines()) == 1 for finding in found.findings)


@pytest.mark.parametrize("name", SUSPICIOUS)
def test_what_may_have_an_honest_reason_is_suspicious(copies: Path, tmp_path: Path, name: str) -> None:
    change, expected = SUSPICIOUS[name]
    found = forged(copies, "paper-simd", change, tmp_path / "sweep")
    assert {finding.gate for finding in found.findings} == expected
    assert not found.certain


def test_a_sweep_of_two_slurm_jobs_is_not_accused(copies: Path, tmp_path: Path) -> None:
    found = forged(copies, "paper-simd", forge.spread_over_slurm_jobs, tmp_path / "sweep")
    assert [(finding.gate, finding.words) for finding in found.findings] == []


@pytest.mark.parametrize("name", ["paper-simd", "paper-naive"])
def test_a_trimmed_sweep_is_not_accused(copies: Path, name: str) -> None:
    assert audit_of(read_sweep(copies / name), NOW).findings == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_sweep_is_not_accused(name: str) -> None:
    found = audit_of(read_sweep(MEASURED / name))
    assert found.findings == ()
    assert set(found.idle) <= {gates.NODES, gates.WEAK_FALLS}
    assert all(found.tested[gate].cases for gate in found.passed)


def test_a_sweep_of_today_has_no_date_in_the_future(copies: Path) -> None:
    begun = read_sweep(copies / "paper-simd").launches[0].started
    assert begun is not None
    assert not audit_of(read_sweep(copies / "paper-simd"), begun).certain
    earlier = audit_of(read_sweep(copies / "paper-simd"), begun - timedelta(hours=2))
    assert {finding.gate for finding in earlier.findings} == {gates.FUTURE}


DAMAGES = [name for name in FORGERIES if "dropped" in name or "doubled" in name or "check" in name]


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_sweep_has_tables_and_sentences(copies: Path, tmp_path: Path, name: str) -> None:
    sweep, change, _ = FORGERIES[name]
    forged(copies, sweep, change, tmp_path / "sweep")
    made = read_sweep(tmp_path / "sweep")
    contents.of_sweep(made)
    for series in made.series:
        contents.of_series(made, series)
    contents.console([made])
    summary.sentences(made)
    verdict.sentences(made)
    assert audit.make([tmp_path / "sweep"], published=False).findings > 0


@pytest.mark.parametrize("seed", [*range(10), *map(thorough, range(10, 40))])
def test_no_damage_ends_in_a_traceback(copies: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311  # damage, not secrets

    def change(forgery: Forgery) -> None:
        forgery.forget({record["run_id"] for record in [*forgery.launches()][4:]})
        forge.damage(forgery, rng)

    forged(copies, "paper-naive", change, tmp_path / "sweep")
    made = read_sweep(tmp_path / "sweep")
    for table in [*contents.of_sweep(made).values(), *(contents.of_series(made, each) for each in made.series)]:
        assert table is not None


@pytest.mark.parametrize(
    ("machine", "flagged"),
    [
        ({}, True),
        ({"load_1m": 99.0}, False),
        ({"steal_s": 60.0}, False),
        ({"usable": {"quota": 1.0}}, False),
        ({"usable": {"quota": None}}, True),
    ],
)
def test_ranks_may_be_held_up_on_a_disturbed_machine(
    copies: Path, tmp_path: Path, machine: dict[str, object], flagged: bool
) -> None:
    def change(forgery: Forgery) -> None:
        measured.scale_clock(1.2, "forward_s")(forgery)  # 30 to 60 ms
        for record in forgery.launches():
            record["machines"][0].update(machine)

    found = forged(copies, "paper-simd", change, tmp_path / "sweep")
    assert {finding.gate for finding in found.findings} == ({gates.SECTIONS} if flagged else set())


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"schema_version": 1}', '{"schema_version": 2}'])
def test_a_record_that_is_none_is_a_finding(copies: Path, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "sweep"
    shutil.copytree(copies / "paper-simd", folder)
    path = sorted((folder / "records").glob("*.json"))[0]
    path.write_text(content)
    found = audit_of(read_sweep(folder), NOW)
    assert {finding.gate for finding in found.findings} == {gates.PARTS}
    assert any(path.stem in finding.words for finding in found.findings)


def test_a_changed_line_of_the_ledger_is_a_finding(copies: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    shutil.copytree(copies / "paper-simd", folder)
    ledger = folder / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join([*lines[:3], "no event\n", *lines[3:]]))
    (finding,) = audit_of(read_sweep(folder), NOW).findings
    assert finding.gate == gates.PARTS
    assert "ledger.jsonl, line 4" in finding.words


def test_whoever_changes_everything_is_not_caught_and_that_is_said(copies: Path) -> None:
    assert any("changed consistently" in line for line in audit_of(read_sweep(copies / "paper-simd"), NOW).untold)
