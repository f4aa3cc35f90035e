"""A batch system, taskset or a container gives part of a machine: slots, binding and records stay inside it."""

import os

import pytest


@pytest.mark.thorough
def test_ranks_stay_within_the_mask_of_the_batch_job(lab):
    last = max(os.sched_getaffinity(0))
    lab.before = ["taskset", "--cpu-list", str(last)]
    done = lab.sweep("bare", ranks="1,2")
    assert done.returncode == 0, done.stdout + done.stderr
    records = lab.records()
    assert {record["outcome"] for record in records} == {"ok"}
    for record in records:
        (machine,) = record["machines"]
        assert machine["usable"]["cpus"] == str(last)
        assert {place["hwthread"] for place in machine["rank_placement"]} == {last}
    bindings = {record["run"]["ranks"]: record["run"]["binding"] for record in records}
    assert bindings[2] == "none"  # one core, two ranks: they give way to each other


@pytest.mark.thorough
def test_one_slot_has_no_scaling_to_measure_and_says_so(lab):
    lab.before = ["taskset", "--cpu-list", str(max(os.sched_getaffinity(0)))]
    done = lab.sweep("ok", ranks="1")
    assert done.returncode == 0, done.stderr
    assert "one slot: there is no scaling to measure here" in done.stdout
