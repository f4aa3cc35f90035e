"""For every test, and how the suite is shared out among workers (pytest-xdist)."""

from __future__ import annotations

import fcntl
import gc
import importlib
import importlib.util
import os
import random
import signal
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.preloaded import Preloader

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# Some tests use MPI in their own process, where it would leave 16 MiB of shared memory behind
with pytest.MonkeyPatch.context() as patched:
    patched.setenv("OMPI_MCA_btl", "self")
    importlib.import_module("mpi4py.MPI")

# Collecting makes half a million objects that stay: garbage is looked for when that is over, and not among them.
gc.disable()

# Hypothesis ends a test that takes longer than 200 ms, which on a busy machine says nothing of the code.
settings.register_profile("thorough", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=30)

# numpy's OpenBLAS would start a second thread in each process, which spins: half the CPU time that loading numpy takes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ORDER = pytest.StashKey[int]()
CONTAINERS = "tests/cluster/containers/"
# The kernel kills for memory in these, so that each is alone with the ranks that it starts: one worker makes them all,
# first. Those of the containers come with their cluster.
ALONE = (
    "tests/cluster/test_failures.py::test_the_memory_limit_of_a_node",
    "tests/cluster/test_program.py::test_a_rank_out_of_memory",
    "tests/orchestration/sweep/test_killed_fab.py::test_in_4_gb_scatter_gather_when_forced",
    "tests/orchestration/sweep/test_sweep.py::test_memory_limit",
    "tests/slurm/test_endings.py::test_out_of_memory",
)
# Meanwhile the other workers make what starts no ranks, and so need not wait
WITHOUT_RANKS = (
    "tests/infra/test_",
    "tests/orchestration/planning/",
    "tests/orchestration/provision/",
    "tests/results/",
    "tests/workload/convolve/",
    "tests/workload/data/",
    "tests/workload/domain/",
    "tests/workload/record/",
)
# Then what takes longest, so that no worker is left alone with it at the end
LONG = (
    "tests/cluster/test_program.py",
    "tests/cluster/test_failures.py",
    "tests/slurm/test_submit.py",
    "tests/cluster/test_sweep.py",
    "tests/slurm/",
    "tests/mpi/test_movements.py",
    "tests/infra/engine/",
    "tests/cluster/",
    "tests/orchestration/campaign/test_parallel.py",
    "tests/orchestration/campaign/test_campaign.py",
    "tests/orchestration/sweep/",
    "tests/orchestration/newcomer/",
    "tests/orchestration/experiments/program/",
    "tests/mpi/",
)
LONG_FIRST = tuple((name,) for name in LONG)


# What needs root, an engine or namespaces, or takes minutes: `make test` leaves it to `make test-all`, and so it does
# with each test and case that has the mark `thorough`.
THOROUGH = (
    "tests/benchmarks/",
    "tests/cluster/",
    "tests/infra/engine/",
    "tests/infra/test_booted.py",
    "tests/orchestration/campaign/test_parallel.py",
    "tests/orchestration/sweep/test_killed_fab.py",
    "tests/recipes/",
    "tests/results/report/test_browser.py",
    "tests/slurm/",
)
# What imports the cloud packages, which `make test` does without where they are not installed
CLOUD = (
    *(f"infra/{name}" for name in ("engine", "test_booted.py", "test_bootstrap.py", "test_outputs.py")),
    *(f"infra/{name}" for name in ("test_policy.py", "test_program.py", "test_sdk.py")),
    "orchestration/provision/cloud",
)
# Single tests that need them
CLOUD_TESTS = (
    "tests/infra/test_startup.py::test_the_real_bootstrap_fits_into_metadata",
    "tests/orchestration/tasks/test_clusters.py::test_without_pulumi",
)
CLOUD_PACKAGES = ("pulumi", "google.cloud.compute_v1")


def _lacks_cloud() -> bool:
    try:
        return any(importlib.util.find_spec(name) is None for name in CLOUD_PACKAGES)
    except ImportError:  # of what holds them
        return True


collect_ignore = list(CLOUD) if _lacks_cloud() else []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--order-seed", type=int, help="the order of files, and of tests in them; by default another each time"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Does not even load what is left to `make test-all`."""
    place = collection_path.relative_to(config.rootpath).as_posix() + ("/" if collection_path.is_dir() else "")
    return True if _leaves_thorough(config) and place.startswith(THOROUGH) else None


def _leaves_thorough(config: pytest.Config) -> bool:
    """Whether these are the tests of `make test`: none of them must be alone."""
    return bool(config.option.markexpr == "not thorough")


def pytest_report_header(config: pytest.Config) -> list[str]:
    lacking = ["the cloud packages are not installed: tests that need them are left out"] if collect_ignore else []
    return [f"order: --order-seed {config.stash[ORDER]}", *lacking]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Every worker has the same order."""
    node.workerinput["order_seed"] = node.config.stash[ORDER]


def pytest_configure(config: pytest.Config) -> None:
    """Chooses an order of the tests and their number of examples, and lets Ctrl-C reach what they start.

    A shell has its background jobs ignore SIGINT, and children inherit that: workers as well.
    """
    given = getattr(config, "workerinput", {}).get("order_seed", config.getoption("--order-seed"))
    settings.load_profile("quick" if _leaves_thorough(config) else "thorough")
    config.stash[ORDER] = random.randrange(10**6) if given is None else int(given)  # noqa: S311  an order, no secret
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files, and tests in each, in an order of their own; workers begin with what takes longest."""
    order = random.Random(config.stash[ORDER])  # noqa: S311  no secret
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
        if item.nodeid.startswith(THOROUGH):
            item.add_marker(pytest.mark.thorough)
        if item.nodeid.startswith(WITHOUT_RANKS):
            item.add_marker(
                pytest.mark.flaky(reruns=0)
            )  # only what other work on the machine can disturb is tried again
        if collect_ignore and item.nodeid.startswith(CLOUD_TESTS):
            item.add_marker(pytest.mark.skip(reason="needs the cloud packages, which 'make cloud' brings"))
    names = list(files)
    order.shuffle(names)
    for tests in files.values():
        order.shuffle(tests)
        tests.sort(key=lambda item: item.get_closest_marker("kills_for_memory") is None)
    items[:] = [item for name in names for item in files[name]]
    if hasattr(config, "workerinput"):
        groups = LONG_FIRST if _leaves_thorough(config) else (ALONE, (CONTAINERS,), WITHOUT_RANKS, *LONG_FIRST)
        items.sort(key=lambda item: _rank(item.nodeid, groups))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


def _rank(nodeid: str, groups: Sequence[tuple[str, ...]]) -> int:
    return next((place for place, names in enumerate(groups) if nodeid.startswith(names)), len(groups))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """The tests of a file stay on one worker, in their order: what they share is made once.

    The containers' files are as one, because they share a cluster; so are the tests that must be alone.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(ALONE):
                return "alone"
            return CONTAINERS if nodeid.startswith(CONTAINERS) else nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # the order is ours
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def company(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A test in which the kernel kills for memory is the only one that starts ranks, on whatever worker.

    All nodes of the tests share one kernel and its counter: a rank that another test kills meanwhile would be
    recorded as killed for memory.
    """
    if request.node.nodeid.startswith(WITHOUT_RANKS):
        yield
        return
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if hasattr(request.config, "workerinput") else own  # that of all workers
    with (folder / "next").open("w") as door, (folder / "inside").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)  # who waits for an empty room lets nobody pass
        fcntl.flock(room, fcntl.LOCK_EX if request.node.get_closest_marker("kills_for_memory") else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@pytest.fixture(scope="session")
def preloader() -> Iterator[Preloader]:
    """Where processes come from that find their libraries loaded."""
    made = Preloader()
    yield made
    made.close()


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made and have their data, but are empty files: laying them out takes nearly all their time."""
    from results.figures import drawing

    monkeypatch.setattr(drawing, "_pictures", lambda *_: (b"<svg></svg>", b""))


@pytest.fixture(autouse=True)
def machine_lock(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each test holds this machine by a lock of its own, so that sweeps of other tests may run beside its own."""
    path = tmp_path_factory.getbasetemp() / f"machine-{uuid.uuid4().hex}.lock"
    monkeypatch.setenv("CONVSCALE_LOCK", str(path))
    return path
