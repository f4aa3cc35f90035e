"""The house's arrows: which room may import which. Heavy imports inside functions count as well."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("workload", "orchestration", "results", "infra", "benchmarks", "tests", "fabfile")
PLANNING = {
    "workload.domain.problem",
    "workload.domain.grid",
    "workload.domain.footprint",
    *(f"workload.record.{name}" for name in ("run", "outcomes", "schema", "digest", "files")),
    "workload.agent.supervise",
    *("workload.agent", "workload.record"),  # the folders, as `from workload.agent import supervise` names them
}
# What the nodes have besides the standard library
RUNTIME = {"numpy", "mpi4py", "psutil", "llvmlite"}
STANDARD_ONLY = {"problem", "grid", "footprint", "record"}


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports, by its full name."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names if _is_module(module, alias.name))


def _is_module(package: str, name: str) -> bool:
    path = ROOT / package.replace(".", "/") / name
    return path.is_dir() or path.with_suffix(".py").is_file()


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def ours(file: Path) -> set[str]:
    return {name for name in imports(file) if name.split(".")[0] in ROOMS}


@pytest.mark.parametrize("file", files("workload"), ids=str)
def test_the_workload_imports_nothing_outside_itself(file: Path) -> None:
    import sys

    for name in imports(file):
        top = name.split(".")[0]
        allowed = sys.stdlib_module_names | {"workload"}
        if file.stem not in STANDARD_ONLY or file.parent.name != "workload":
            allowed = allowed | RUNTIME
        assert top in allowed, f"{file.name} imports {name}"


def test_the_workloads_init_is_empty() -> None:
    assert (ROOT / "workload/__init__.py").read_text() == ""


@pytest.mark.parametrize("file", files("orchestration"), ids=str)
def test_orchestration_plans_without_mpi(file: Path) -> None:
    for name in ours(file):
        allowed = name.startswith("orchestration") or name in PLANNING | {"workload", "infra", "infra.hostfile"}
        assert allowed or (file.parent.name in ("tasks", "forecast") and name.startswith("results")), (
            f"{file.name} imports {name}"
        )


@pytest.mark.parametrize("file", files("results"), ids=str)
def test_results_read_records_alone(file: Path) -> None:
    for name in ours(file):
        assert name.startswith("results") or name in PLANNING | {"workload"}, f"{file.name} imports {name}"


@pytest.mark.parametrize("file", files("infra"), ids=str)
def test_infra_imports_nothing_of_ours(file: Path) -> None:
    assert not ours(file)


def test_modules_import_in_no_circle() -> None:
    edges = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ours(file)
        for room in ("workload", "orchestration", "results")
        for file in files(room)
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module in done:
            return
        for target in sorted(edges.get(module, ())):
            # a package's own modules import its types; the package imports them by name at run time
            if target != module:
                visit(target, (*path, module))
        done.add(module)

    for module in sorted(edges):
        visit(module, ())
