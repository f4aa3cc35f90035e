"""Which room may import which. Imports inside functions count as well."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP = ("workload", "orchestration", "results", "infra", "benchmarks", "tests", "fabfile")

# For each top folder: its rooms, and the rooms that each may import besides itself. A folder that has no row of its
# own belongs to the room above it. The row "" is the files that stand in no room: where it is empty they are ground
# that every room may use; where it names rooms they stand above those, and no room uses them.
ROOMS = {
    "orchestration": {
        "": "",
        "clusters": "",
        "ssh": "clusters",
        "jobs.launchers": "clusters ssh",
        "jobs": "clusters jobs.launchers",
        "planning": "clusters jobs jobs.launchers",
        "executors.remote": "clusters ssh jobs jobs.launchers",
        "executors": "clusters jobs executors.remote",
        "experiments": "clusters jobs jobs.launchers planning",
        "checks": "clusters ssh jobs jobs.launchers planning executors.remote",
        "sweep": "clusters jobs jobs.launchers planning executors executors.remote experiments checks",
        "provision": "clusters ssh jobs.launchers checks sweep",
        "forecast": "clusters planning jobs executors experiments checks sweep",
        "campaign": "clusters jobs planning experiments sweep",
        "tasks": (
            "clusters ssh jobs planning executors executors.remote experiments checks sweep provision forecast campaign"
        ),
    },
    "results": {
        "": "",
        "records": "",
        "scaling": "records",
        "forecast": "records scaling",
        "comparison": "records forecast",
        "audit": "records scaling",
        "figures": "records scaling forecast comparison audit",
        "tables": "records scaling forecast comparison audit",
        "report": "records scaling forecast comparison audit figures tables",
    },
    "workload": {
        "": "domain movement.descriptions convolve record instruments movement data agent probe gpu",
        "domain": "",
        "gpu": "",
        "movement.descriptions": "domain",
        "convolve": "domain gpu",
        "record": "domain movement.descriptions",
        "instruments": "convolve record gpu",
        "movement": "movement.descriptions convolve domain instruments gpu record",
        "data": "convolve domain movement movement.descriptions record",
        "agent": "record instruments",
        "probe": "domain convolve record instruments data gpu",
    },
}
# What each top folder may import of the others, and in which of its rooms alone
ACROSS = {
    "workload": {},
    "infra": {},
    "results": {"workload.domain": None, "workload.movement.descriptions": None, "workload.record": None},
    "orchestration": {
        "workload.domain": None,
        "workload.movement.descriptions": None,
        "workload.record": None,
        "workload.agent.environment": None,
        "workload.agent.supervise": None,
        "workload.agent.standalone.bundle": None,
        "workload.instruments.processors": None,
        "infra.durations": None,
        "infra.hostfile": None,
        "infra.machines": ("forecast", "provision"),
        "results": ("tasks", "forecast"),
    },
}
# What the nodes have besides the standard library, and the folders that do without: planning needs no MPI
NODE_PACKAGES = {"numpy", "mpi4py", "psutil", "llvmlite"}
STANDARD_LIBRARY_ONLY = (
    "workload/domain",
    "workload/movement/descriptions",
    "workload/record",
    "workload/instruments/cgroup.py",
    "workload/instruments/processors.py",
    "workload/agent/environment.py",
    "workload/agent/standalone/bundle.py",
)


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Imports and classes of a file, at any depth."""
    kinds = (ast.Import, ast.ImportFrom, ast.ClassDef)
    return tuple(node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, kinds))


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, by its full name."""
    for node in nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            module = node.module or ""
            inner = [f"{module}.{alias.name}" for alias in node.names if _is_module(module, alias.name)]
            yield from inner
            if len(inner) < len(node.names):
                yield module


@cache
def _is_module(package: str, name: str) -> bool:
    path = ROOT / package.replace(".", "/") / name
    return path.is_dir() or path.with_suffix(".py").is_file()


def files(top: str) -> list[Path]:
    return sorted((ROOT / top).rglob("*.py"))


def ours(file: Path) -> set[str]:
    return {name for name in imports(file) if name.split(".")[0] in TOP}


def room_of(module: str) -> str:
    """The room of a module's full name: the longest row of the table that holds it, "" for one in no room."""
    top, *path = module.split(".")
    if not path or (len(path) == 1 and not (ROOT / top / path[0]).is_dir()):
        return ""
    for end in range(len(path), 0, -1):
        if ".".join(path[:end]) in ROOMS[top]:
            return ".".join(path[:end])
    raise AssertionError(f"{top}/{path[0]}/ stands in no table: give it a row in {Path(__file__).name}")


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("top", ROOMS)
def test_rooms_import_only_the_rooms_below_them(top: str) -> None:
    rows = {room: set(below.split()) for room, below in ROOMS[top].items()}
    ground = set() if rows[""] else {""}
    for file in files(top):
        room = room_of(module_of(file))
        for name in ours(file):
            if name.split(".")[0] != top or name == top:
                continue
            target = room_of(name)
            allowed = target in {room} | rows[room] | ground
            assert allowed, f"{file.relative_to(ROOT)} imports {name}: {room or 'ground'} stands below {target}"


@pytest.mark.parametrize("top", ROOMS)
def test_the_table_has_no_circle_and_no_room_that_is_gone(top: str) -> None:
    below = {room: set(row.split()) for room, row in ROOMS[top].items()}
    assert set().union(*below.values()) <= set(below)
    assert all((ROOT / top / room.replace(".", "/")).is_dir() for room in below)
    TopologicalSorter(below).prepare()  # raises CycleError, naming the circle


@pytest.mark.parametrize("top", ACROSS)
def test_top_folders_import_of_each_other_what_the_table_says(top: str) -> None:
    for file in files(top):
        for name in ours(file):
            if name.split(".")[0] == top:
                continue
            if top == "infra":  # Pulumi's program, whose modules import each other by their own names
                raise AssertionError(f"{file.relative_to(ROOT)} imports {name}")
            found = [rooms for start, rooms in ACROSS[top].items() if name == start or name.startswith(f"{start}.")]
            allowed = any(rooms is None or room_of(module_of(file)) in rooms for rooms in found)
            assert allowed, f"{file.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("file", files("workload"), ids=str)
def test_the_workload_needs_what_the_nodes_have(file: Path) -> None:
    allowed = sys.stdlib_module_names | {"workload"}
    if not str(file.relative_to(ROOT)).startswith(STANDARD_LIBRARY_ONLY):
        allowed = allowed | NODE_PACKAGES
    if file.parent.name == "gpu":
        allowed = allowed | {"pynvml"}  # of the extra `gpu`, which no node needs
    for name in imports(file):
        assert name.split(".")[0] in allowed, f"{file.name} imports {name}"


def test_the_workloads_init_is_empty() -> None:
    assert (ROOT / "workload/__init__.py").read_text() == ""


def test_modules_import_in_no_circle() -> None:
    edges = {module_of(file): ours(file) for top in ROOMS for file in files(top)}
    # A package's own modules import its types; the package imports them by name at run time
    TopologicalSorter({module: targets - {module} for module, targets in edges.items()}).prepare()


def test_a_class_has_a_name_of_its_own() -> None:
    found: dict[str, list[str]] = {}
    for file in sorted(path for top in (*ROOMS, "infra") for path in (ROOT / top).rglob("*.py")):
        for node in nodes(file):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(str(file.relative_to(ROOT)))
    assert not {name: files for name, files in found.items() if len(files) > 1}


def test_few_files_outside_the_convolutions_own_know_its_words() -> None:
    """So that another experiment has nothing to do with movements and backends."""
    own = re.compile(r"^workload/(convolve|movement)/|/convolution[/.]")
    names = [str(file.relative_to(ROOT)) for top in ("orchestration", "results", "workload") for file in files(top)]
    others = [name for name in names if not own.search(name)]
    knowing = [name for name in others if re.search(r"\b(movement|backend)s?\b", (ROOT / name).read_text())]
    assert len(knowing) <= 20, "\n".join(knowing)
