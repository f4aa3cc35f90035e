"""Faults of real nodes, each a container: its limit of memory, its power, its network."""

import subprocess
import time
from types import SimpleNamespace

import pytest

from orchestration.provision.containers.docker import Engine, EngineError
from tests.cluster.conftest import Desk
from tests.cluster.host import TOKEN, wait_for

LONG = 100_000
NODES = ("node1", "node2", "node3")  # the head, and those that runs use
STRANGER = "time.sleep(600)"


@pytest.fixture
def desk(light, tmp_path, preloader):
    made = Desk(tmp_path, SimpleNamespace(inventory=light.folder.inventory), preloader)
    yield made
    made.close()
    for node in NODES:
        light.clean(node)


def strangers(light, node):
    """The process ids of the ranks of an MPI job on the node that has nothing to do with us, but is the same user's."""
    rows = [line.split(maxsplit=2) for line in light.inside(node, "ps", "-eo", "pid,comm,args").splitlines()]
    return {pid for pid, command, words in rows if command == "python" and words.endswith(STRANGER)}


@pytest.fixture(autouse=True)
def others(light):
    """Such a job on both nodes that the runs use: it lives on, unless its node was killed."""
    venv = "/opt/convscale/venv/bin"
    mpirun = f"{venv}/mpirun -n 2 --map-by :OVERSUBSCRIBE --bind-to none --mca pml ob1 --mca btl self,sm"
    program = f"from mpi4py import MPI; import time; MPI.COMM_WORLD.barrier(); {STRANGER}"
    used = ("node1", "node2")
    for node in used:
        if not strangers(light, node):
            light.inside(node, "sh", "-c", f"{mpirun} {venv}/python -c '{program}' >/dev/null 2>&1 &")
            wait_for(lambda node=node: len(strangers(light, node)) == 2)
    before = {node: (started(light, node), strangers(light, node)) for node in used}
    yield
    for node in used:
        when, ranks = before[node]
        assert started(light, node) != when or strangers(light, node) == ranks


def started(light, node):
    return engine_of(light).docker("inspect", "--format", "{{.State.StartedAt}}", light.ids()[node])


def engine_of(light) -> Engine:
    return light.containers.engine


def at_work(desk, light, ranks=(2, 3)):
    """A sweep whose first run is on node2 until something happens to it."""
    desk.study(list(ranks), repeats=LONG)
    process = desk.begin()
    wait_for(lambda: "-m workload --run" in light.inside("node2", "ps", "-eo", "args"))
    return process


def left(light, node):
    """Processes and files of our runs on a node."""
    words = light.inside(node, "ps", "-eo", "args") + light.inside(
        node, "find", "/tmp", "/dev/shm", "/opt/convscale/jobs"
    )
    return [line for line in words.splitlines() if TOKEN.search(line)]


def link(light, way):
    """Sets the network of node2 up or down, from outside."""
    pid = engine_of(light).docker("inspect", "--format", "{{.State.Pid}}", light.ids()["node2"]).strip()
    subprocess.run(["nsenter", "--net", "-t", pid, "ip", "link", "set", "eth0", way], check=True)


def power_off(light):
    engine_of(light).docker("kill", light.ids()["node2"])


def power_on(light):
    engine_of(light).docker("start", light.ids()["node2"])
    wait_for(lambda: light.ssh("node2", "true").returncode == 0)


def pause(light):
    """On a busy machine the kernel may not freeze all at once, and the engine says that it cannot."""
    for attempt in range(10):
        try:
            engine_of(light).docker("pause", light.ids()["node2"])
        except EngineError:
            if attempt == 9:
                raise
            time.sleep(1)
        else:
            return


def unpause(light):
    engine_of(light).docker("unpause", light.ids()["node2"])


def cut(light):
    link(light, "down")


def join(light):
    link(light, "up")


@pytest.mark.parametrize(("strike", "mend"), [(power_off, power_on), (pause, unpause), (cut, join)])
def test_a_node_that_falls_silent(desk, light, strike, mend):
    process = at_work(desk, light)
    strike(light)
    try:
        done = desk.end(process)
    finally:
        mend(light)
    assert done.returncode == 1
    outcomes = sorted((record["outcome"], record["reason"]) for record in desk.records().values())
    assert outcomes == [("node_lost", "node2 fell silent during the run"), ("skipped", "node lost: node2")]
    wait_for(lambda: not any(left(light, node) for node in NODES))


@pytest.mark.kills_for_memory
def test_the_memory_limit_of_a_node(desk, light):
    """A run that the prediction would skip, forced: the kernel's counter on that node proves what killed it."""
    study = desk.folder / "small.toml"
    desk.study([2])
    study.write_text(study.read_text().replace("batch_per_rank = 2", "batch_per_rank = 8000"))
    container = light.ids()["node2"]
    engine_of(light).docker("update", "--memory", "160m", "--memory-swap", "160m", container)
    try:
        planned = desk.sweep()
        assert planned.returncode == 0
        assert "predicted peaks on node2" in desk.records()[2]["reason"]
        assert desk.sweep(force="yes").returncode == 1
    finally:
        engine_of(light).docker("update", "--memory", "4g", "--memory-swap", "4g", container)
    record = desk.records()[2]
    assert record["outcome"] == "out_of_memory", record["reason"]
    assert list(record["evidence"]["oom_kills"]) == ["node2"]
    assert not any(left(light, node) for node in ("node1", "node2"))
