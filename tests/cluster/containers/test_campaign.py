"""compose-light against compose-fat against this machine, all measured in one campaign, and which of them to buy.

The prices are made up: nothing here is for sale. That two clusters of this machine are never at work at once is told by
the order of the ledger's events.
"""

import csv
import re
import subprocess
from pathlib import Path

import pytest

from orchestration.campaign.folder import LEDGER
from orchestration.clusters.folder import ClusterFolder
from orchestration.provision.containers.cluster import SHAPES, Containers
from orchestration.provision.containers.docker import Engine
from tests.orchestration.support import FAB, copy_checkout
from workload.record.campaign import read_campaign
from workload.record.ledger import read_ledger

STUDY = """
schema_version = 1
name = "bought"
launches = 3
repeats = 1
warmups = 0
timeout_s = 300.0
images = "synthetic"
problem = { batch = 8, in_channels = 3, out_channels = 3, height = 64, width = 64, kernel_size = 3 }
[[series]]
name = "strong"
scaling = "strong"
ranks = [1, 2]
"""
MADE_UP = {"compose-light": 0.80, "compose-fat": 0.40, "local": 0.10}  # US dollars an hour
LIMIT_S = 1800
DEADLINE_S = 7 * 24 * 3600  # no interval reaches so far, also on a busy machine
STARTS = 3


@pytest.fixture
def tree(engine: Engine, tmp_path: Path):
    """A copy of the checkout; no container of it is left."""
    copy = copy_checkout(tmp_path / "tree", "canary", "report")
    (copy / "bought.toml").write_text(STUDY)
    try:
        yield copy
    finally:
        for name in ("compose-light", "compose-fat"):
            folder = ClusterFolder(copy / "infra" / "clusters" / name)
            Containers(engine, copy, folder, SHAPES[name], lambda _: None).down()


def fab(tree: Path, *words: str) -> tuple[int, str]:
    """Exit status and all that was printed."""
    done = subprocess.run(
        [str(FAB), *words],
        cwd=tree,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout


def carried_out(tree: Path) -> tuple[Path, str]:
    """The folder of a campaign on all three, and what its last start printed.

    Where other work keeps eight containers from answering a check in time, the same command tries that cluster again.
    """
    words = ["--clusters", ",".join(MADE_UP), "--parallel", "2", "--study", "bought.toml", "--wait"]
    said = ""
    for _ in range(STARTS):
        status, said = fab(tree, "sweep", *words)
        if status == 0:
            break
        assert "a cluster failed; the same command goes on and tries it again" in said
    (ledger,) = (tree / "results" / "runs").glob(f"*/{LEDGER}")
    return ledger.parent, said


def test_three_clusters_of_this_machine_are_measured_in_turn_and_compared(tree: Path) -> None:
    folder, said = carried_out(tree)
    found = read_campaign(folder)
    assert [(each.state, each.since) for each in found.clusters] == [("swept", None)] * 3, said
    events = read_ledger(folder / LEDGER).events
    turns = [(each["event"], each["cluster"]) for each in events if each["event"] in ("starting", "left")]
    for (begins, first), (ends, second) in zip(turns[::2], turns[1::2], strict=True):
        assert (begins, ends, first) == ("starting", "left", second), "two were at work at once"
    assert not [name for name in MADE_UP if (tree / "infra" / "clusters" / name / "inventory.json").exists()]

    prices = [word for name, price in MADE_UP.items() for word in ("--price", f"{name}={price}")]
    limits = ["--deadline", f"{DEADLINE_S // 3600}h", "--budget-per-run", "1"]
    status, said = fab(tree, "report", "--sweep", str(folder), *prices, *limits)
    assert status == 0, said
    check_what_to_buy(folder)


def check_what_to_buy(campaign: Path) -> None:
    """The joint report has all three, each measured and with its price."""
    with (campaign / "tables" / "choice.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["basis"] for row in rows} == {"measured"}
    bids = {(row["cluster"], row["nodes"]) for row in rows}
    assert bids == {("compose-light", "1"), ("compose-light", "2"), ("compose-fat", "1"), ("local", "1")}
    for row in rows:
        assert 0.0 < float(row["total_low_s"]) <= float(row["total_s"]) <= float(row["total_high_s"])
        share = int(row["nodes"]) / 8 if row["cluster"] == "compose-light" else 1.0  # of its eight nodes
        paid = MADE_UP[row["cluster"]] * share / 3600 * float(row["total_s"])
        assert float(row["price"]) == pytest.approx(paid)
    page = (campaign / "report.html").read_text()
    section = page[page.index('id="buy"') : page.index('id="across"')]
    named = re.search(f"The cheapest within {DEADLINE_S} s: ([a-z-]+) with", section)
    assert named is not None, section[:2000]
    assert named[1] in MADE_UP
    assert f"Price of {', '.join(MADE_UP)}: stated for this comparison, by whoever made it." in section
    assert "<svg" in section
