"""A push costs the operator the same whatever the number of nodes."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestration.clusters.folder import read_cluster
from orchestration.executors.remote.upload import push
from tests.cluster.hosts import Hosts, reason_against
from tests.orchestration.support import ROOT

FEW, MANY = 2, 12


@dataclass(frozen=True)
class Cost:
    """Of one push, on the operator's side."""

    logins: int
    sent_bytes: int
    cpu_s: float


def cost(folder: Path, count: int) -> Cost:
    """Pushes to so many hosts that have nothing yet."""
    with Hosts(folder, count) as hosts:
        for host in hosts.hosts:
            (host.folder / "convscale" / "workload").unlink()
        inventory = read_cluster(hosts.inventory)
        before = time.process_time()
        pushed = push(inventory, ROOT)
        cpu_s = time.process_time() - before
        assert len(pushed.changed) == count
        assert all((host.folder / "convscale/workload").readlink().name == pushed.digest for host in hosts.hosts)
        # each host is entered by the operator and by the head; the operator comes from its own address
        logs = [(host.folder / "sshd.log").read_text(errors="replace") for host in hosts.hosts]
        lines = [line for log in logs for line in log.splitlines() if "Accepted" in line]
        logins = sum(f"from {hosts.subnet}.254 port" in line for line in lines)
    return Cost(logins, pushed.sent_bytes, cpu_s)


@pytest.mark.skipif(bool(reason_against()), reason=reason_against())
def test_the_operators_part_is_flat(tmp_path):
    cost(tmp_path / "warm", 1)  # imports and first use
    few, many = cost(tmp_path / "few", FEW), cost(tmp_path / "many", MANY)
    assert few.logins == many.logins == 1
    # a line of hostfile and one of known_hosts for each node more, and nothing else
    assert 0 < many.sent_bytes - few.sent_bytes < 200 * (MANY - FEW)
    assert many.cpu_s < 2 * few.cpu_s
