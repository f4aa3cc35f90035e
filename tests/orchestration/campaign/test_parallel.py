"""`fab sweep --clusters --parallel 2` whole: two clusters at made-up prices, each worked at by a process of its own.

Both are this machine, so that their sweeps take turns; that both were up at once is told by the ledger.
"""

import re
import signal
import time

import psutil
import pytest

from tests.orchestration.campaign.checkout import LIMIT_S, Checkout
from workload.record.ledger import read_ledger

SPARED = ("canary", "report")
WORDS = ("--parallel", "2", "--max-cost", "5", "--yes")


def until(process, holds):
    """Waits until it holds while the process is at work."""
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def both_up(checkout: Checkout, process):
    """Waits until a campaign has both clusters up, and a run at work."""
    runs = checkout.tree / "results" / "runs"
    until(process, lambda: list(runs.glob("*/campaign.jsonl")))

    def at_work():
        up = [each["cluster"] for each in read_ledger(checkout.ledger).events if each["event"] == "up"]
        return len(up) == 2 and (checkout.jobs("cheap") or checkout.jobs("twin"))

    until(process, at_work)


def overlapped(checkout):
    """Whether each of the two was begun before the other was gone."""
    first = checkout.place("starting", "twin") < checkout.place("left", "cheap")
    return first and checkout.place("starting", "cheap") < checkout.place("left", "twin")


def test_two_at_once_and_one_that_fails(checkout):
    said = checkout.sweep(*WORDS, clusters="broken,cheap,twin,local", status=1)
    assert "Make broken, cheap, twin, at most 2 at once, for small and at most 5 USD in all? Yes, by --yes." in said
    found = checkout.campaign
    assert [each.state for each in found.clusters] == ["failed", "swept", "swept", "swept"]
    assert overlapped(checkout)
    assert max(checkout.place("left", name) for name in ("cheap", "twin")) < checkout.place("starting", "local")
    assert not any(map(checkout.is_up, ("broken", "cheap", "twin")))
    assert found.spent == pytest.approx(sum(each.spent for each in found.clusters))
    assert 0.0 < found.spent < 0.5
    at_once = said[said.index("another campaign:") : said.rindex("Campaign")].splitlines()[1:]
    foreign = [line for line in at_once if line and not re.match(r"(-- )?(broken|cheap|twin|local)\b", line)]
    assert foreign == []
    assert re.search(r"^twin: \d+ runs: \d+ ok$", said, re.MULTILINE)


def test_ctrl_c_takes_both_down_and_the_same_command_goes_on(checkout):
    process = checkout.begin(*WORDS, clusters="cheap,twin,local")
    both_up(checkout, process)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1, said
    assert "interrupted; the same command goes on" in said
    assert not any(map(checkout.is_up, ("cheap", "twin")))
    assert not [each for each in workers if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    assert all(each.since is None for each in checkout.campaign.clusters)
    assert all(each.spent > 0.0 for each in checkout.campaign.clusters[:2])
    assert checkout.campaign.cluster("local").state == "waiting"

    checkout.sweep(*WORDS, clusters="cheap,twin,local")
    assert [each.state for each in checkout.campaign.clusters] == ["swept"] * 3


def test_where_a_process_that_works_at_a_cluster_is_killed_that_one_fails_and_is_taken_down(checkout):
    process = checkout.begin(*WORDS, clusters="cheap,twin")
    both_up(checkout, process)
    workers = [each for each in psutil.Process(process.pid).children() if "campaign_process" in str(each.cmdline())]
    assert len(workers) == 2
    workers[0].kill()
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1, said
    assert "ended by itself (SIGKILL)" in said
    assert sorted(each.state for each in checkout.campaign.clusters) == ["failed", "swept"]
    assert not any(map(checkout.is_up, ("cheap", "twin")))
    assert all(each.since is None for each in checkout.campaign.clusters)


def test_where_fab_itself_is_killed_its_processes_end_and_the_same_command_goes_on(checkout):
    process = checkout.begin(*WORDS, clusters="cheap,twin")
    both_up(checkout, process)
    workers = psutil.Process(process.pid).children()
    process.kill()
    process.communicate(timeout=LIMIT_S)
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []
    assert all(each.since is not None for each in checkout.campaign.clusters)

    said = checkout.sweep(*WORDS, clusters="cheap,twin")
    assert "cheap is still up, since " in said
    assert [each.state for each in checkout.campaign.clusters] == ["swept", "swept"]
    assert not any(map(checkout.is_up, ("cheap", "twin")))
