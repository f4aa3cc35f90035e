"""Whether a cluster's nodes can hold a study is told by its description, before it is up."""

import pytest

from orchestration.campaign.fit import why_not
from orchestration.clusters.provider import DescribedNodes
from orchestration.forecast.datasheet import described_inventory
from orchestration.paths import RunsFolder
from orchestration.provision.providers import clusters_of
from orchestration.sweep.prepare import Request, Surroundings
from tests.orchestration.support import ROOT, make_inventory, make_overrides

UTC = "2026-11-30T12:00:00+00:00"
TYPE = DescribedNodes("e2-medium", 2, None)


@pytest.fixture
def surroundings(tmp_path):
    return Surroundings(clusters_of(ROOT, {}), RunsFolder(tmp_path), lambda: UTC, {})


def test_a_type_that_holds_some_runs_is_not_left_out(surroundings):
    found = described_inventory("e2-mediumx2", TYPE, ROOT, UTC)
    assert (found.slots, len(found.nodes)) == (4, 2)
    assert why_not(found, Request(study="quick"), surroundings) == ""


def test_one_whose_memory_holds_none_is_left_out_with_the_reason(surroundings):
    found = make_inventory(4, nodes=2, memory_bytes=2**26)
    told = why_not(found, Request(study="quick"), surroundings)
    assert told.startswith("no run of the study can be made there: predicted peaks on node1 add up to ")
    assert "90% of its 64 MiB" in told


def test_a_study_that_has_no_run_there_says_so(surroundings):
    found = make_inventory(4)
    request = Request(study="paper", overrides=make_overrides(ranks=(3,), grid=None))
    assert why_not(found, Request(study="quick"), surroundings) == ""
    assert "no run on a cluster of profile local" in why_not(found, request, surroundings)


PROGRAM = """
schema_version = 1
name = "grid"
[program]
command = ["./grid", "{n}"]
files = ["grid"]
memory_bytes = "8*n*n/ranks + 1e8"
[program.parameters]
n = 4096
[[series]]
name = "strong"
scaling = "strong"
ranks = [2, 4]
"""


@pytest.mark.parametrize(
    ("n", "stated", "told"),
    [
        (4096, True, ""),
        (65536, True, "no run of the study can be made there: predicted peaks on node1 add up to "),
        (65536, False, ""),
    ],
)
def test_of_a_program_it_is_told_where_the_study_states_its_memory(surroundings, tmp_path, n, stated, told):
    text = PROGRAM.replace("n = 4096", f"n = {n}")
    (tmp_path / "grid.toml").write_text(text if stated else text.replace("memory_bytes", "size"))
    (tmp_path / "grid").write_text("#!/bin/sh\n")
    found = described_inventory("e2-mediumx2", TYPE, ROOT, UTC)  # two nodes of 4 GB and two slots
    why = why_not(found, Request(study=str(tmp_path / "grid.toml")), surroundings)
    assert (why.startswith(told) and "node1" in why) if told else why == ""


def test_a_type_that_nobody_described_cannot_be_judged():
    assert described_inventory("x", DescribedNodes("z9-huge-4", 2, None), ROOT, UTC) is None
