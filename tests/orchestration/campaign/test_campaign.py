"""`fab sweep --clusters` whole: real sweeps on this machine and on clusters of the test's own, at made-up prices."""

import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.orchestration.conftest import STUDY
from tests.orchestration.support import FAB, copy_checkout
from workload.record.campaign import LEDGER, read_campaign

CODE = "orchestration/provision/priced.py"
REGISTER = "orchestration/provision/providers.py"
LIMIT_S = 600


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout with clusters that have a price."""
    copy = copy_checkout(tmp_path_factory.mktemp("campaign") / "tree")
    shutil.copy(Path(__file__).with_name("priced.py"), copy / CODE)
    text = (copy / REGISTER).read_text()
    own_machines = "from orchestration.provision.own_machines import OwnMachines\n"
    text = text.replace(own_machines, f"{own_machines}from orchestration.provision.priced import Priced\n")
    text = text.replace("        OWN_MACHINES,\n", "        Priced(),\n        OWN_MACHINES,\n")
    (copy / REGISTER).write_text(text)
    (copy / "small.toml").write_text(STUDY)
    return copy


@pytest.fixture
def tree(checkout):
    yield checkout
    shutil.rmtree(checkout / "results" / "runs", ignore_errors=True)
    shutil.rmtree(checkout / "infra" / "clusters", ignore_errors=True)
    (checkout / "mended").unlink(missing_ok=True)


def begin(tree, *words, clusters="local,broken,cheap"):
    command = [str(FAB), "sweep", "--clusters", clusters, "--study", "small.toml", "--wait", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=tree, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True
    )


def sweep(tree, *words, status=0, **more):
    process = begin(tree, *words, **more)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == status, said
    return said


def campaign(tree):
    (ledger,) = (tree / "results" / "runs").glob(f"*/{LEDGER}")
    return read_campaign(ledger.parent)


def sweeps(tree):
    return sorted(path.parent.name for path in (tree / "results" / "runs").glob("small-*/ledger.jsonl"))


def test_a_campaign_with_a_failing_cluster_and_its_second_start(tree):
    said = sweep(tree, "--max-cost", "5", "--yes", status=1)
    assert "Make broken, cheap, one after the other, for small and at most 5 USD in all? Yes, by --yes." in said
    assert "broken failed (up): no such machine is free" in said
    found = campaign(tree)
    assert [each.state for each in found.clusters] == ["swept", "failed", "swept"]
    assert found.ended == "failed"
    assert 0.0 < found.cluster("cheap").spent < 0.1
    assert not (tree / "infra" / "clusters" / "cheap").exists()
    before = sweeps(tree)
    assert len(before) == 2

    (tree / "mended").touch()
    said = sweep(tree, "--max-cost", "5", "--yes")
    assert "going on with results/runs/small-campaign-" in said
    assert "local: swept already" in said
    assert [each.state for each in campaign(tree).clusters] == ["swept"] * 3
    assert len(sweeps(tree)) == 3
    assert set(before) < set(sweeps(tree))
    assert all((each.sweep / "report.html").exists() for each in campaign(tree).clusters)


def test_without_a_yes_nothing_is_made(tree):
    said = sweep(tree, "--max-cost", "5", status=2, clusters="cheap,local")
    assert "Nobody is here to ask: give --yes" in said
    said = sweep(tree, status=2, clusters="cheap,local")
    assert "--max-cost is missing, and these clusters cost money" in said
    said = sweep(tree, "--max-cost", "0.01", "--yes", status=2, clusters="cheap,local")
    assert "--max-cost 0.01: 0.01 USD are left for cheap, and its start and end alone take 0.02" in said
    said = sweep(tree, "--dry-run", "--max-cost", "5", clusters="cheap,local")
    assert "0.360 USD" in said
    assert not list((tree / "results" / "runs").glob("*campaign*"))


def test_one_that_the_budget_does_not_pay_for_waits(tree):
    said = sweep(tree, "--max-cost", "1", "--yes", status=1, clusters="local,dear")
    assert "1.00 USD are left for dear, and its start and end alone take 1.80" in said
    assert [each.state for each in campaign(tree).clusters] == ["swept", "skipped"]
    assert campaign(tree).ended == "budget"


def test_ctrl_c_ends_the_run_and_takes_the_cluster_down(tree):
    process = begin(tree, "--max-cost", "5", "--yes", clusters="cheap,local")
    deadline = time.monotonic() + LIMIT_S
    while not list((tree / "results" / "runs").glob("small-cheap-*/.jobs/*/supervisor.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1, said
    assert "interrupted; the same command goes on" in said
    assert not (tree / "infra" / "clusters" / "cheap").exists()
    assert campaign(tree).cluster("local").state == "waiting"
    sweep(tree, "--max-cost", "5", "--yes", clusters="cheap,local")
    assert [each.state for each in campaign(tree).clusters] == ["swept", "swept"]
    assert len(sweeps(tree)) == 2  # the interrupted sweep went on
