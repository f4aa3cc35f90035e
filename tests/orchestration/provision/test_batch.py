"""A sweep as a batch job: times, partitions and the script, without Slurm."""

import shlex
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.clusters.inventory import SlurmJob
from orchestration.errors import Refusal
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.provision.batch import (
    BatchRequest,
    Partition,
    QueuedJob,
    SlurmQueue,
    SubmittedCommand,
    check,
    check_same_nodes,
    cpus_taken,
    finished,
    going_on,
    idle_share,
    left,
    minutes_of,
    name_of,
    nodes_needed,
    of_shared_nodes,
    prepare,
    script,
    script_of,
    submitted_sweeps,
)
from orchestration.sweep.ledger import Ledger
from tests.orchestration.support import make_inventory
from tests.results.conftest import SweepMaker
from workload.record.files import write_json
from workload.record.outcomes import SKIPPED

MAIN = Partition("main", True, 8, 4, 60)
LONG = Partition("long", False, 8, 2, None)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("30", 30), ("30:00", 30), ("29:01", 30), ("1:30:00", 90), ("0:00:01", 1), ("1-0", 1440), ("1-12", 2160),
        ("1-12:30", 2190), ("1-12:30:00", 2190), ("90m", 90), ("1.5h", 90), ("2d", 2880), ("90s", 2),
    ],
)  # fmt: skip
def test_times_are_slurms_or_with_a_unit(text, minutes):
    assert minutes_of(text) == minutes


@given(st.integers(0, 30), st.integers(0, 23), st.integers(0, 59))
def test_days_hours_and_minutes_add_up(days, hours, minutes):
    whole = (days * 24 + hours) * 60 + minutes
    if whole:
        assert minutes_of(f"{days}-{hours:02}:{minutes:02}:00") == whole


@pytest.mark.parametrize("text", ["", "0", "0:00", "10x", "-5", "infinite", "1h30m", "1:2:3:4", "1-", "half"])
def test_what_is_no_time_has_no_minutes(text):
    assert minutes_of(text) is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (BatchRequest(5, 10), "--nodes 5: partition main has 4"),
        (BatchRequest(1, 61), "--time 61 min: partition main ends jobs after 60 min"),
        (BatchRequest(1, 10, "mian"), "partition 'mian' is unknown (did you mean main?)"),
    ],
)
def test_what_a_partition_has_not_is_refused(asked, said):
    with pytest.raises(Refusal) as refusal:
        check(asked, [MAIN, LONG])
    assert said in str(refusal.value)


def test_without_a_default_one_is_to_be_named():
    with pytest.raises(Refusal, match="--partition: name one of long"):
        check(BatchRequest(1, 10), [LONG])


def test_a_partition_without_a_limit_takes_any_time():
    assert check(BatchRequest(2, 10**6, "long"), [MAIN, LONG]) is LONG


@pytest.mark.parametrize(("counts", "share"), [([32], 0.0), ([8, 32], 0.375), ([1], 0.75), ([64], 0.0), ([], 0.0)])
def test_small_counts_leave_nodes_idle(counts, share):
    """On four nodes of eight slots up to 8 ranks need one node, 16 two, 32 all."""
    assert idle_share(4, nodes_needed(4, 8, counts)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("largest", "threads", "tasks", "cpus"),
    [(8, 1, 2, 2), (9, 1, 3, 3), (8, 3, 2, 6), (None, 1, 8, 8), (None, 3, 2, 6), (1000, 1, 8, 8), (1, 16, 1, 8)],
)
def test_of_shared_nodes_no_more_is_taken_than_the_largest_count_needs(largest, threads, tasks, cpus):
    asked = of_shared_nodes(BatchRequest(4, 10), 8, largest, threads)
    assert (asked.tasks_per_node, asked.cpus_per_task) == (tasks, threads)
    assert cpus_taken(asked, 8) == cpus
    options = script(asked, SweepPaths(Path("/shared/out")), Path("/"), ["true"]).splitlines()
    assert f"#SBATCH --ntasks-per-node={tasks}" in options
    assert not {"#SBATCH --exclusive", "#SBATCH --mem=0"} & set(options)


def test_the_script_asks_for_whole_nodes_and_becomes_the_sweep(tmp_path):
    paths = SweepPaths(tmp_path / "out")
    asked = BatchRequest(2, 90, "main", "phys", ("--qos=high", "gres=none"), ("gcc/12", "openmpi"))
    lines = script(
        asked, paths, Path("/home/ada/my work"), ["fab", "sweep", "--command", "./heat {n} 100"]
    ).splitlines()
    options = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")]
    assert {"--nodes=2", "--time=90", "--exclusive", "--mem=0", "--partition=main", "--account=phys"} <= set(options)
    assert {"--qos=high", "--gres=none", f"--job-name={name_of(paths)}"} <= set(options)
    assert lines[0] == "#!/bin/bash"
    assert lines[-4:-1] == ["module load gcc/12", "module load openmpi", "cd '/home/ada/my work' || exit 2"]
    assert shlex.split(lines[-1]) == ["exec", "fab", "sweep", "--command", "./heat {n} 100"]


def test_an_option_of_two_lines_is_refused(tmp_path):
    with pytest.raises(Refusal, match="has more than one line"):
        script(BatchRequest(1, 1, options=("--qos=a\nrm -rf /",)), SweepPaths(tmp_path), tmp_path, ["true"])


def test_the_same_command_goes_on_until_the_sweep_is_finished(tmp_path):
    runs = RunsFolder(tmp_path)
    command = SubmittedCommand("birch", ("--study", "quick"))
    paths = SweepPaths(tmp_path / "quick-birch")
    prepare(runs, paths, {}, command)
    assert [item.folder for item in submitted_sweeps(runs, "birch")] == [paths.folder]
    assert going_on(runs, command, False) == paths
    assert going_on(runs, SubmittedCommand("birch", ("--study", "paper")), False) is None
    assert going_on(runs, SubmittedCommand("slurm", command.words), False) is None
    ledger = Ledger(paths.ledger)
    ledger.append("planned", "2026-01-01T00:00:00Z")
    ledger.append("interrupted", "2026-01-01T00:00:01Z")
    assert going_on(runs, command, False) == paths
    ledger.append("finished", "2026-01-01T00:00:02Z")
    assert finished(paths)
    assert going_on(runs, command, False) is None
    assert going_on(runs, command, True) == paths


def test_a_sweep_that_was_submitted_before_clusters_had_names_is_slurms(tmp_path):
    paths = SweepPaths(tmp_path / "quick-slurm")
    prepare(RunsFolder(tmp_path), paths, {}, SubmittedCommand("birch", ()))
    write_json(paths.folder / "submitted" / "command.json", {"schema_version": 1, "words": ["--study", "quick"]})
    assert going_on(RunsFolder(tmp_path), SubmittedCommand("slurm", ("--study", "quick")), False) == paths


def test_sweeps_elsewhere_are_remembered_while_they_are_there(tmp_path):
    runs, command = RunsFolder(tmp_path / "runs"), SubmittedCommand("birch", ())
    gone, kept = SweepPaths(tmp_path / "gone"), SweepPaths(tmp_path / "kept")
    prepare(runs, gone, {}, command)
    shutil.rmtree(gone.folder)
    for _ in range(2):
        prepare(runs, kept, {}, command)
    assert submitted_sweeps(runs, "birch") == [kept]
    assert [link.name for link in runs.submitted.iterdir()] == [kept.mark]
    assert not runs.sweeps()
    assert going_on(runs, command, False) is None


def test_only_jobs_of_a_kept_number_and_the_sweeps_name_are_its_own(tmp_path):
    runs, command = RunsFolder(tmp_path), SubmittedCommand("birch", ())
    ours, other = SweepPaths(tmp_path / "ours"), SweepPaths(tmp_path / "other")
    for paths, numbers in ((ours, "7\n8\n"), (other, "9\n")):
        prepare(runs, paths, {}, command)
        (paths.folder / "submitted" / "jobs").write_text(numbers)
    lines = [
        f"7|RUNNING|None|{name_of(ours)}", "8|RUNNING|None|a|b", f"9|PENDING|Priority|{name_of(ours)}",
        f"10|PENDING|Priority|{name_of(ours)}", f"9|PENDING|Resources|{name_of(other)}",
    ]  # fmt: skip
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    squeue.write_text("#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines))
    squeue.chmod(0o755)
    found = SlurmQueue({"PATH": f"{squeue.parent}:/bin:/usr/bin"}).jobs([ours, other])
    assert found == [(ours, QueuedJob("7", "RUNNING", "None")), (other, QueuedJob("9", "PENDING", "Resources"))]


def test_numbers_of_one_of_several_clusters_are_read(tmp_path):
    """sbatch of a federation prints NUMBER;CLUSTER, into the file."""
    paths = SweepPaths(tmp_path / "ours")
    prepare(RunsFolder(tmp_path), paths, {}, SubmittedCommand("birch", ()))
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text("#!/bin/sh\necho '7;birch'\n")
    sbatch.chmod(0o755)
    assert SlurmQueue({"PATH": f"{sbatch.parent}:/bin:/usr/bin"}).submit(paths, Path("job.sh")) == "7"
    assert [path.name for path in (paths.folder / "submitted").iterdir() if path.name == "begun"] == []


@pytest.mark.parametrize(
    ("asked", "partition", "said"),
    [
        (BatchRequest(4, 10), MAIN, r"--nodes 4: .* was begun on 2; give as many, or --new"),
        (BatchRequest(2, 10), LONG, r"--partition long: .* was begun in main; give that, or --new"),
        (BatchRequest(2, 10, tasks_per_node=7), MAIN, r"with --shared: .* was begun on whole nodes; go on with such"),
        (BatchRequest(2, 10), MAIN, None),
        (BatchRequest(2, 10, tasks_per_node=8), MAIN, None),  # all of them
    ],
)
def test_a_sweep_goes_on_on_nodes_as_it_had(tmp_path, asked, partition, said):
    paths = SweepPaths(tmp_path)
    check_same_nodes(paths, asked, partition)  # not begun
    job = SlurmJob(job=7, partition="main")
    write_json(paths.inventory, make_inventory(1, 2).model_copy(update={"slurm": job}).model_dump(mode="json"))
    Ledger(paths.ledger).append("planned", "2026-01-01T00:00:00Z")
    with pytest.raises(Refusal, match=said) if said else nullcontext():
        check_same_nodes(paths, asked, partition)


def test_which_jobs_of_several_have_work_left(tmp_path):
    """By the ledger, whatever the study seemed to need: a run without a record, or one that a job's end skipped."""
    paths = SweepPaths(tmp_path)
    assert left(paths, [1, 3, 1], False) == [3, 1]
    maker = SweepMaker(paths.folder)
    late = {"reason": "expired: the cluster's lifetime is over"}
    ids = [
        maker.add("strong", ranks=1)["run_id"],
        maker.add("strong", ranks=2, outcome=SKIPPED, change=lambda record: record.update(late))["run_id"],
    ]
    jobs = {"4": ["0" * 16], "2": [ids[1]], "1": [ids[0]]}
    Ledger(paths.ledger).append("planned", "2026-01-01T00:00:00Z", jobs=jobs)
    assert left(paths, [1, 3], False) == [4, 2]
    assert left(paths, [1, 3], True) == [4, 2, 1]
    done = SweepPaths(tmp_path / "done")
    done.folder.mkdir()
    Ledger(done.ledger).append("planned", "2026-01-01T00:00:00Z", jobs={"4": [], "1": []})
    assert left(done, [1], False) == [4]


def test_several_jobs_of_a_sweep_take_turns(tmp_path):
    asked = BatchRequest(2, 10, in_turn=True)
    assert "#SBATCH --dependency=singleton" in script(asked, SweepPaths(tmp_path), tmp_path, ["true"]).splitlines()
    assert "dependency" not in script(BatchRequest(2, 10), SweepPaths(tmp_path), tmp_path, ["true"])
    assert script_of(SweepPaths(tmp_path), asked).name == "job-2-nodes.sh"


@pytest.mark.parametrize(
    ("reason", "done"),
    [
        ("expired: the run takes about 60 s, 20 s are left of the cluster's lifetime", False),
        ("node lost: node2", False),
        ("8 ranks on 4 slots", True),
    ],
)
def test_what_the_end_of_a_job_kept_from_a_sweep_is_left_to_the_next(tmp_path, reason, done):
    paths = SweepPaths(tmp_path)
    maker = SweepMaker(paths.folder)
    maker.add("strong", ranks=1)
    maker.add("strong", ranks=2, outcome=SKIPPED, change=lambda record: record.update(reason=reason))
    Ledger(paths.ledger).append("finished", "2026-01-01T00:00:00Z")
    Ledger(paths.ledger).append("cleanup", "2026-01-01T00:00:01Z", exit_status=0)
    assert finished(paths) is done


FORGOTTEN = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"
NO_ACCOUNTS = "echo 'Slurm accounting storage is disabled' >&2; exit 1"


@pytest.mark.parametrize(
    ("scontrol", "sacct", "state"),
    [
        ("echo 'JobId=7 JobState=TIMEOUT Reason=TimeLimit ExitCode=0:0'", NO_ACCOUNTS, "TIMEOUT"),
        ("echo 'JobId=7 JobState=FAILED Reason=NonZeroExitCode ExitCode=1:0'", NO_ACCOUNTS, "FAILED (exit status 1)"),
        (FORGOTTEN, "echo 'CANCELLED by 1000|0:15'", "CANCELLED by 1000 (signal 15)"),
        (FORGOTTEN, "printf 'PREEMPTED|0:0\nNODE_FAIL|1:0\n'", "NODE_FAIL (exit status 1)"),
        (FORGOTTEN, NO_ACCOUNTS, None),
        (FORGOTTEN, "true", None),
    ],
)
def test_how_the_last_job_ended_is_asked_of_the_controller_then_of_the_accounts(tmp_path, scontrol, sacct, state):
    paths = SweepPaths(tmp_path / "sweep")
    (paths.folder / "submitted").mkdir(parents=True)
    (paths.folder / "submitted" / "jobs").write_text("5\n7\n")
    queue = SlurmQueue({"PATH": f"{tmp_path}:/bin:/usr/bin"})
    for name, text in (("scontrol", scontrol), ("sacct", sacct)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    found = queue.last_ended(paths)
    assert (found and (found.number, found.state)) == (state and ("7", state))


def test_a_sweep_without_a_job_has_none_that_ended(tmp_path):
    assert SlurmQueue({"PATH": "/nowhere"}).last_ended(SweepPaths(tmp_path)) is None
