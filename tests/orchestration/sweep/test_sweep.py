"""Whole sweeps through the real mpirun and supervisor: what is recorded, what fails and what is skipped."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.marks import thorough
from tests.orchestration.support import make_inventory
from tests.orchestration.sweep.conftest import no_trace
from workload.agent.supervise import SUPERVISOR

GROUP = Path("/sys/fs/cgroup/memory")


def test_leaves_a_whole_sweep_folder(lab):
    done = lab.sweep("ok")
    assert done.returncode == 0, done.stderr
    (record,) = lab.records()
    assert record["outcome"] == "ok"
    assert record["series"] == ["weak"]
    assert record["exit_status"] == 0
    assert record["attempt"] == 1
    assert record["evidence"] == {"oom_kills": {}, "signal": None, "exception": None, "lost_nodes": []}
    assert record["run"]["images"]["kind"] == "synthetic"
    assert lab.events() == ["planned", "started", "ended", "finished"]
    assert lab.paths.log(record["run_id"]).exists()
    assert (lab.folder / "runs" / "latest").resolve() == lab.paths.folder
    assert "1 ok" in done.stdout
    assert no_trace(lab)


REAL = """
schema_version = 1
name = "real"
launches = 2
repeats = 2
timeout_s = 300.0
images = "sample"
save = true
problem = { batch = 4, in_channels = 3, out_channels = 2, height = 64, width = 48, kernel_size = 3 }
[[series]]
name = "strong"
scaling = "strong"
ranks = [1, 2]
oversubscribe = 2
"""


def test_the_real_workload_from_study_to_report(lab):
    lab.study.write_text(REAL)
    done = lab.sweep("real")
    assert done.returncode == 0, done.stdout + done.stderr
    records = lab.records()
    assert [record["outcome"] for record in records] == ["ok"] * 6
    points = {(record["run"]["ranks"], record["run"]["movement"], record["launch"]) for record in records}
    assert points == {
        (ranks, movement, launch)
        for ranks, movement in ((1, "serial"), (1, "scatter-gather"), (2, "scatter-gather"))
        for launch in (0, 1)
    }
    for record in records:
        assert record["check"]["passed"]
        assert sum(block["output_elements"] for block in record["blocks"]) == 4 * 2 * 62 * 46
        assert record["predicted"]["peak_bytes"]
        assert record["stores"] == {"taken": "ordinary", "convolve_s": {}}  # y stays in the cache
    settled = [event for event in lab.ledger() if event["event"] == "settled"]
    assert {event["run_id"] for event in settled} == {each["run_id"] for each in records if each["launch"] == 0}
    assert all(event["values"] == {"stores": records[0]["stores"]} for event in settled)
    assert lab.paths.picture("input").exists()
    assert lab.paths.picture("output").exists()
    assert (lab.paths.folder / "report.html").exists()
    assert "Strong scaling" in done.stdout
    canaries = [event for event in lab.ledger() if event["event"] == "canary"]
    assert [event["when"] for event in canaries] == ["before launch 1", "before launch 2", "after the last run"]
    for event in canaries:
        (rate,) = event["multiply_adds_per_s"].values()
        assert rate > 0.0
        assert event["right"]
    assert no_trace(lab)


@pytest.mark.thorough
def test_stores_that_a_killed_fab_did_not_note_are_those_of_the_further_launches(lab):
    lab.study.write_text(REAL.replace("launches = 2", "launches = 1").replace("ranks = [1, 2]", "ranks = [1]"))
    assert lab.sweep("real").returncode == 0
    lines = lab.paths.ledger.read_text().splitlines(keepends=True)
    number = next(number for number, line in enumerate(lines) if json.loads(line)["event"] == "started")
    first = json.loads(lines[number])["run_id"]
    for record in lab.records():
        if record["run_id"] != first:
            lab.paths.record(record["run_id"]).unlink()
    lab.paths.ledger.write_text("".join(lines[: number + 1]))  # its record is written, and nothing else
    done = lab.sweep("real")
    assert done.returncode == 0, done.stdout + done.stderr
    settled = [event for event in lab.ledger() if event["event"] == "settled"]
    assert settled[0]["run_id"] == first
    assert settled[0]["values"] == {"stores": lab.records()[0]["stores"]}


@pytest.mark.thorough
def test_a_canary_that_never_answers_is_said_and_the_runs_go_on(lab):
    done = lab.sweep("mute-canary")
    assert done.returncode == 0, done.stderr
    assert [record["outcome"] for record in lab.records()] == ["ok"]
    canaries = [event for event in lab.ledger() if event["event"] == "canary"]
    assert ["no answer within 1 s" in event["failed"] for event in canaries] == [True, True]
    assert "Canary: no answer before launch 1" in (lab.paths.folder / "report.html").read_text()
    assert no_trace(lab)


@pytest.mark.thorough
def test_what_a_killed_fab_left_of_its_canary_is_ended(lab):
    process = lab.begin("mute-canary")
    lab.wait_for(lambda: list(lab.paths.jobs.glob(f"*/{SUPERVISOR}")))
    process.kill()
    process.wait()
    done = lab.sweep("ok")
    assert done.returncode == 0, done.stderr
    assert "adopted" not in lab.events()
    assert no_trace(lab)


def test_an_interrupt_during_the_canary_leaves_nothing(lab):
    process = lab.begin("mute-canary")
    lab.wait_for(lambda: list(lab.paths.jobs.glob(f"*/{SUPERVISOR}")))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=600)
    assert (process.returncode, lab.events()[-1]) == (1, "interrupted")
    assert no_trace(lab)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "words"),
    [
        ("sigkill", "crashed", "signal 9 (SIGKILL)"),
        thorough("raise", "crashed", "RuntimeError: the kernel is broken"),
        thorough("other-run", "crashed", "the measurement is of run 0000000000000000"),
        ("truncated", "crashed", "not whole JSON"),
        thorough("wrong-shape", "crashed", "lacks memory"),
        ("wrong-answer", "wrong_answer", "17 times its tolerance"),
    ],
)
def test_a_failed_run_leaves_its_record_and_status_1(lab, behaviour, outcome, words):
    done = lab.sweep(behaviour)
    (record,) = lab.records()
    assert (done.returncode, record["outcome"]) == (1, outcome)
    assert words in record["reason"]
    assert no_trace(lab)


def test_a_rank_that_hangs_and_ignores_sigterm_is_ended_at_the_limit(lab):
    lab.study.write_text(lab.study.read_text().replace("timeout_s = 300.0", "timeout_s = 2.0"))
    done = lab.sweep("hang")
    (record,) = lab.records()
    assert (done.returncode, record["outcome"]) == (1, "timeout")
    assert no_trace(lab)


@pytest.mark.thorough
@pytest.mark.skipif(not os.access(GROUP, os.W_OK), reason="no writable memory control group (v1)")
@pytest.mark.kills_for_memory
def test_memory_limit_is_out_of_memory_with_the_counter(lab):
    own = next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if ":memory:" in line).split(":")[2]
    group = GROUP / own.lstrip("/") / f"convscale-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(700 * 2**20))
        lab.anew = True  # its number must be in the group before it starts anything
        process = lab.begin("allocate")
        (group / "cgroup.procs").write_text(str(process.pid))
        said = process.communicate(timeout=600)
        assert [record["outcome"] for record in lab.records()] == ["out_of_memory"], (process.returncode, said)
        (record,) = lab.records()
        assert list(record["evidence"]["oom_kills"].values()) == [1]
        assert record["evidence"]["signal"] == signal.SIGKILL
        assert "rank 1" in record["reason"]
    finally:
        lab.close()
        group.rmdir()


def test_a_supervisor_killed_under_a_living_fab_is_a_crash(lab):
    process = lab.begin("hang")
    lab.wait_for_ranks()
    (file,) = lab.paths.jobs.glob(f"*/{SUPERVISOR}")
    os.kill(json.loads(file.read_text())["pid"], signal.SIGKILL)
    process.communicate(timeout=600)
    (record,) = lab.records()
    assert (process.returncode, record["outcome"]) == (1, "crashed")
    assert "supervisor" in record["reason"]
    assert no_trace(lab)


def test_a_second_fab_on_the_folder_is_refused(lab):
    process = lab.begin("hang")
    lab.wait_for_ranks()
    done = lab.sweep("ok")
    assert done.returncode == 2
    assert f"process {process.pid}" in done.stderr
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=600)


@pytest.mark.thorough
def test_too_large_for_the_memory_is_skipped_and_force_runs_it(lab):
    file = lab.folder / "inventory.json"
    file.write_text(make_inventory(2, memory_bytes=100 * 2**20).model_dump_json())
    done = lab.sweep("ok", cluster=file)
    (record,) = lab.records()
    assert (done.returncode, record["outcome"]) == (0, "skipped")
    assert "predicted peaks" in record["reason"]
    assert record["predicted"]["peak_bytes"]
    done = lab.sweep("ok", cluster=file, force="yes")
    assert done.returncode == 0, done.stderr
    assert [record["outcome"] for record in lab.records()] == ["ok"]


@pytest.mark.thorough
def test_more_ranks_than_the_series_asks_for_are_skipped(lab):
    file = lab.folder / "inventory.json"
    file.write_text(make_inventory(1).model_dump_json())
    done = lab.sweep("ok", cluster=file, ranks="2,3")
    assert done.returncode == 0, done.stderr
    outcomes = {record["run"]["ranks"]: record["outcome"] for record in lab.records()}
    assert outcomes == {2: "ok", 3: "skipped"}


def test_dry_run_lists_and_runs_nothing(lab):
    done = lab.sweep("ok", dry_run="yes")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 runs to do" in done.stdout
    assert not lab.paths.folder.exists()


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 80 MiB, mounted; only root may."""
    folder = tmp_path / "out"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=80m", "convscale-test", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of its own needs root and mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.thorough
def test_a_full_disk_leaves_no_part_of_a_record_and_the_sweep_goes_on(small_disk, lab):
    done = lab.sweep("fill-disk")
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(lab.paths.records.glob("*.json")) == []
    for filler in small_disk.glob(".jobs/*/filler"):
        filler.unlink()
    done = lab.sweep("ok")
    assert done.returncode == 0, done.stderr
    assert [record["outcome"] for record in lab.records()] == ["ok"]
