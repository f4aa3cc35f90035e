"""For every test, and how the suite is shared out among workers (pytest-xdist)."""

from __future__ import annotations

import fcntl
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# Hypothesis ends a test that takes longer than 200 ms, which on a busy machine says nothing of the code.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

CONTAINERS = "tests/cluster/containers/"
# What takes longest begins first, so that no worker is left alone with it at the end; what waits beside what computes.
LONG = (
    CONTAINERS,
    "tests/mpi/test_movements.py",
    "tests/cluster/test_failures.py",
    "tests/cluster/test_sweep.py",
    "tests/orchestration/sweep/test_killed_fab.py",
    "tests/infra/engine/",
    "tests/cluster/",
    "tests/orchestration/sweep/test_sweep.py",
    "tests/mpi/",
)


def pytest_configure() -> None:
    """Ctrl-C reaches what the tests start, also where the suite itself was started in the background of a shell.

    A shell has its background jobs ignore SIGINT, and children inherit that: workers as well.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers begin with what takes longest; without them the order stays."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    return next((rank for rank, folder in enumerate(LONG) if nodeid.startswith(folder)), len(LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """The tests of a file stay on one worker, in their order: what they share is made once.

    The containers' files are as one, because they share a cluster.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return CONTAINERS if nodeid.startswith(CONTAINERS) else nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # the order is ours
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A test in which the kernel kills for memory is the only one that runs, on whatever worker.

    All nodes of the tests share one kernel and its counter: a rank that another test kills meanwhile would be
    recorded as killed for memory.
    """
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if hasattr(request.config, "workerinput") else own  # that of all workers
    with (folder / "next").open("w") as door, (folder / "inside").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)  # who waits for an empty room lets nobody pass
        fcntl.flock(room, fcntl.LOCK_EX if request.node.get_closest_marker("kills_for_memory") else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@pytest.fixture(autouse=True)
def machine_lock(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each test holds this machine by a lock of its own, so that sweeps of other tests may run beside its own."""
    path = tmp_path_factory.getbasetemp() / f"machine-{uuid.uuid4().hex}.lock"
    monkeypatch.setenv("CONVSCALE_LOCK", str(path))
    return path
