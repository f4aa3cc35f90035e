"""Every row of the table of outcomes, from mpirun's own words."""

import pytest

from orchestration.clusters.inventory import SlurmJob
from orchestration.jobs import launchers
from orchestration.jobs.evidence import Ending, log_tail, no_evidence
from orchestration.jobs.executor import Traces
from orchestration.jobs.launchers.openmpi5 import OpenMpi5
from orchestration.jobs.outcome import Reading, classify, without_teardown

PASSED = Reading({"repeats": []})
FAILED = Reading({"repeats": []}, wrong="the worst row's error is 17 times its tolerance")
NOTHING = Reading(None, missing="the run left no measurement")
KILLED = """
--------------------------------------------------------------------------
prterun noticed that process rank 1 with PID 6707 on node vm exited on
signal 9 (Killed).
--------------------------------------------------------------------------
"""
SEGMENTATION_FAULT = KILLED.replace("signal 9 (Killed)", "signal 11 (Segmentation fault)")
LOST = """
PRTE has lost communication with a remote daemon.

  HNP daemon   : [prterun-node1-99@0,0] on node node1
  Remote daemon: [prterun-node1-99@0,2] on node node3

This is usually due to either a failure of the TCP network
"""
NO_EXECUTABLE = """
prterun was unable to launch the specified application as it could not
access an executable:
"""
RAISED = """Traceback (most recent call last):
  File "x.py", line 8, in <module>
numpy._core._exceptions._ArrayMemoryError: Unable to allocate 1 GiB
--------------------------------------------------------------------------
MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD
"""
ONE_LINE = "convscale: rank 3: ValueError: the pool has another shape\n"
GROUP = "/sys/fs/cgroup/memory/a/memory.oom_control"


# as Open MPI 5.0.11 said it when node 10.0.0.2 was paused, killed, and refused the head's key
UNREPORTED = """
------------------------------------------------------------
A daemon failed to report back after being spawned. This could
be due to several factors, including inability to find the
daemon executable, or the executable was unable to find its

  Local host:    node1
  Remote host:   node2
  Daemon exit status: 255
------------------------------------------------------------
"""
SILENT = "Timeout, server 10.0.0.2 not responding.\r\n" + UNREPORTED
CLOSED = "Connection to 10.0.0.2 closed by remote host.\r\n" + UNREPORTED
REFUSED = "u@10.0.0.2: Permission denied (publickey).\r\n" + UNREPORTED
NAMES = {"10.0.0.2": "second", "n2": "second", "n1": "first"}


def verdict(status, reading=None, log="", node="vm", **ending):
    return classify(Ending(node, status, **ending), OpenMpi5().evidence(status, log), reading or NOTHING, log)


@pytest.mark.parametrize(
    ("status", "reading", "log", "outcome", "words"),
    [
        (0, PASSED, "", "ok", ""),
        (0, FAILED, "", "wrong_answer", "17 times its tolerance"),
        (1, FAILED, "", "wrong_answer", "17 times its tolerance"),
        (0, None, "", "crashed", "left no measurement"),
        (137, None, KILLED, "crashed", "rank 1 on vm was killed by signal 9 (SIGKILL)"),
        (139, None, SEGMENTATION_FAULT, "crashed", "signal 11 (SIGSEGV)"),
        (1, None, RAISED, "crashed", "_ArrayMemoryError: Unable to allocate 1 GiB"),
        (2, None, ONE_LINE, "crashed", "rank 3: ValueError: the pool has another shape"),
        (3, None, "", "crashed", "status 3"),
        (5, PASSED, "", "crashed", "status 5"),
        (0, PASSED, LOST, "node_lost", "node3"),
        (0, None, LOST, "node_lost", "node3"),
        (183, None, NO_EXECUTABLE, "launch_failed", "unable to launch"),
        (1, None, "There are not enough slots available in the system", "launch_failed", "not enough slots"),
    ],
)
def test_outcomes(status, reading, log, outcome, words):
    found = verdict(status, reading, log)
    assert found.outcome == outcome
    assert words in found.reason
    assert "\n" not in found.reason


@pytest.mark.parametrize(
    ("status", "log", "traces", "outcome", "words"),
    [
        (255, SILENT, Traces(unreachable=["second"]), "node_lost", "second fell silent during the run"),
        (255, SILENT, Traces(), "node_lost", "mpirun lost second"),
        (255, CLOSED, Traces(), "node_lost", "mpirun lost second"),
        (0, LOST.replace("node node3", "node n2"), Traces(), "node_lost", "mpirun lost second"),
        (1, "", Traces(unreachable=["second"]), "node_lost", "second fell silent"),
        (255, REFUSED, Traces(), "launch_failed", "on node2: u@10.0.0.2: Permission denied"),
        (255, "", Traces(), "crashed", "mpirun ended with status 255"),
    ],
)
def test_lost_nodes(status, log, traces, outcome, words):
    found = verdict(status, None, log, traces=traces, names=NAMES)
    assert (found.outcome, found.evidence["signal"]) == (outcome, None)
    assert words in found.reason
    assert found.evidence["lost_nodes"] == (["second"] if outcome == "node_lost" else [])


def traces(before, after):
    return Traces(oom_before={"second": before}, oom_after={"second": after})


@pytest.mark.parametrize(
    ("log", "found_there", "outcome"),
    [
        ("", traces({GROUP: 1}, {GROUP: 2}), "out_of_memory"),
        (KILLED.replace("vm", "n2"), traces({"/proc/vmstat": 1}, {"/proc/vmstat": 2}), "out_of_memory"),
        ("Socket closed", traces({"/proc/vmstat": 1}, {"/proc/vmstat": 2}), "out_of_memory"),
        (KILLED.replace("vm", "n1"), traces({"/proc/vmstat": 1}, {"/proc/vmstat": 2}), "crashed"),
        (RAISED, traces({"/proc/vmstat": 1}, {"/proc/vmstat": 2}), "crashed"),
        ("", traces({}, {GROUP: 2}), "crashed"),
    ],
)
def test_out_of_memory_on_another_node(log, found_there, outcome):
    found = verdict(14, None, log, node="n1", traces=found_there, names=NAMES)
    assert found.outcome == outcome
    assert found.evidence["oom_kills"] == ({"second": 1} if outcome == "out_of_memory" else {})


def test_out_of_memory_by_slurms_word_needs_no_counter():
    log = "srun: error: n2: task 3: Out Of Memory\n"
    launch = launchers.find("openmpi5", SlurmJob(job=42, partition="main", mpi=("pmix", "pmi2"))).evidence(1, log)
    found = classify(Ending("login", 1, names={"n2": "second"}), launch, NOTHING, log)
    assert (found.outcome, found.reason) == ("out_of_memory", "the kernel killed rank 3 on second for memory on second")
    assert (found.evidence["oom_kills"], found.evidence["oom_counters"]) == ({"second": 1}, {})


@pytest.mark.parametrize(
    ("reading", "status", "lost", "outcome"),
    [
        (PASSED, 0, [], "ok"),
        (FAILED, 0, [], "wrong_answer"),
        (PASSED, 0, ["node3"], "node_lost"),
        (PASSED, 1, [], "node_lost"),
        (NOTHING, 0, [], "node_lost"),
    ],
)
def test_what_daemons_say_last_does_not_count_where_slurm_has_every_node_of_a_whole_run(reading, status, lost, outcome):
    launch = without_teardown(OpenMpi5().evidence(status, LOST), status, reading, lost)
    assert classify(Ending("node1", status), launch, reading, LOST).outcome == outcome


def test_a_full_disk_is_named_by_the_supervisor():
    found = verdict(1, error="No space left on device: /j")
    assert (found.outcome, found.reason) == ("crashed", "No space left on device: /j")


def test_mpirun_that_is_not_there():
    found = verdict(None, error="No such file or directory: /v/bin/mpirun")
    assert (found.outcome, found.reason) == ("launch_failed", "No such file or directory: /v/bin/mpirun")


def test_the_limit():
    assert verdict(143, timed_out=True).outcome == "timeout"
    assert verdict(137, timed_out=True).evidence["signal"] is None  # the signal was ours


@pytest.mark.parametrize("status", [14, 137])
def test_a_counter_that_rose_is_out_of_memory(status):
    found = verdict(status, log=KILLED, oom_before={GROUP: 3}, oom_after={GROUP: 4})
    assert found.outcome == "out_of_memory"
    assert found.evidence["oom_kills"] == {"vm": 1}
    assert found.evidence["oom_counters"] == {"vm": {GROUP: [3, 4]}}
    assert "rank 1 on vm" in found.reason


def test_the_kernels_own_counter_needs_a_killed_rank_beside_it():
    counters = {"oom_before": {"/proc/vmstat": 0}, "oom_after": {"/proc/vmstat": 1}}
    assert verdict(137, log=KILLED, **counters).outcome == "out_of_memory"
    assert verdict(1, log=RAISED, **counters).outcome == "crashed"


def test_a_neighbours_kill_does_not_spoil_a_good_run():
    assert verdict(0, PASSED, oom_before={GROUP: 3}, oom_after={GROUP: 4}).outcome == "ok"


def test_evidence_of_a_good_run_is_empty():
    assert verdict(0, PASSED).evidence == no_evidence()


def test_the_tail_of_a_log_is_text():
    assert log_tail(b"\xff\0a" * 5000) == "\N{REPLACEMENT CHARACTER}a" * 2000
    assert log_tail(b"") == ""
