"""`fab sweep --clusters` whole: real sweeps on this machine and on clusters of the test's own, at made-up prices."""

import re
import signal
import time

import pytest

from tests.orchestration.campaign.checkout import LIMIT_S

SPARED = ("canary",)


@pytest.mark.thorough
def test_a_campaign_with_a_failing_cluster_and_its_second_start(checkout):
    clusters = "local,broken,cheap"
    said = checkout.sweep("--max-cost", "5", "--yes", clusters=clusters, status=1)
    assert "Make broken, cheap, one after the other, for small and at most 5 USD in all? Yes, by --yes." in said
    assert "broken failed (up): no such machine is free" in said
    found = checkout.campaign
    assert [each.state for each in found.clusters] == ["swept", "failed", "swept"]
    assert found.ended == "failed"
    assert 0.0 < found.cluster("cheap").spent < 0.1
    assert not checkout.is_up("cheap")
    before = checkout.sweeps()
    assert len(before) == 2

    (checkout.tree / "mended").touch()
    said = checkout.sweep("--max-cost", "5", "--yes", clusters=clusters)
    assert "going on with results/runs/small-campaign-" in said
    assert "local: swept already" in said
    assert [each.state for each in checkout.campaign.clusters] == ["swept"] * 3
    assert len(checkout.sweeps()) == 3
    assert set(before) < set(checkout.sweeps())
    assert all((each.sweep / "report.html").exists() for each in checkout.campaign.clusters)


@pytest.mark.thorough
def test_without_a_yes_nothing_is_made(checkout):
    said = checkout.sweep("--max-cost", "5", status=2, clusters="cheap,local")
    assert "Nobody is here to ask: give --yes" in said
    said = checkout.sweep(status=2, clusters="cheap,local")
    assert "--max-cost is missing, and these clusters cost money" in said
    said = checkout.sweep("--max-cost", "0.01", "--yes", status=2, clusters="cheap,local")
    assert "--max-cost 0.01: 0.01 USD are left for cheap, and its start and end alone take 0.02" in said
    said = checkout.sweep("--dry-run", "--max-cost", "5", clusters="cheap,local")
    assert "0.360 USD" in said
    assert not list((checkout.tree / "results" / "runs").glob("*campaign*"))


@pytest.mark.thorough
def test_one_is_brought_up_swept_and_taken_down_and_one_that_the_budget_does_not_pay_for_waits(checkout):
    said = checkout.sweep("--max-cost", "1", "--yes", status=1, clusters="cheap,dear")
    assert re.search(r"(0\.9\d|1\.00) USD are left for dear, and its start and end alone take 1\.80", said)
    found = checkout.campaign
    assert [each.state for each in found.clusters] == ["swept", "skipped"]
    assert found.ended == "budget"
    assert 0.0 < found.spent == found.cluster("cheap").spent < 0.1
    assert not checkout.is_up("cheap")
    assert (found.cluster("cheap").sweep / "report.html").exists()


@pytest.mark.thorough
def test_ctrl_c_ends_the_run_and_takes_the_cluster_down(checkout):
    process = checkout.begin("--max-cost", "5", "--yes", clusters="cheap,local")
    deadline = time.monotonic() + LIMIT_S
    while not checkout.jobs("cheap"):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1, said
    assert "interrupted; the same command goes on" in said
    assert not checkout.is_up("cheap")
    assert checkout.campaign.cluster("local").state == "waiting"
    checkout.sweep("--max-cost", "5", "--yes", clusters="cheap,local")
    assert [each.state for each in checkout.campaign.clusters] == ["swept", "swept"]
    assert len(checkout.sweeps()) == 2  # the interrupted sweep went on
