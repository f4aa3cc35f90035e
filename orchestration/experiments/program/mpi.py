"""Which MPI a program needs, told by what the nodes say of it, and which launcher is to start it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from orchestration.errors import Refusal
from orchestration.jobs import launchers
from orchestration.jobs.launchers import LAUNCHERS, OF_RANKS
from workload.record.schema import SchemaError, check_shape

SHAPE = {
    "path": (str, type(None)), "problem": str, "machine": str, "made_for": (str, type(None)), "libraries": dict,
    "missing": [str], "mpi": (str, type(None)), "mpi_version": (str, type(None)),
    "launchers": [{"path": str, "says": str}],
}  # fmt: skip


@dataclass(frozen=True)
class Started:
    """The launcher by name, its program's path on the head, and both versions in words."""

    launcher: str
    path: PurePosixPath | None
    words: str


def settle(
    command: str, wanted: str | None, nodes: Sequence[str], answers: Sequence[Mapping[str, Any] | str]
) -> Started:
    """How the program is started, where `answers` are the nodes' own. Raises Refusal: all that is wrong with it."""
    told = [_checked(name, answer) for name, answer in zip(nodes, answers, strict=True)]
    faults = [fault for name, answer in zip(nodes, told, strict=True) for fault in _faults(command, name, answer)]
    if faults:
        raise Refusal("\nconvscale: ".join(faults))
    versions = {name: _version(answer) for name, answer in zip(nodes, told, strict=True)}
    if len(set(versions.values())) > 1:
        words = "; ".join(f"{name}: {version}" for name, version in versions.items())
        raise Refusal(f"{command} finds another MPI on some nodes ({words}): install the same on all")
    return _started(command, wanted, nodes[0], told[0])


def _checked(name: str, answer: Mapping[str, Any] | str) -> Mapping[str, Any]:
    if isinstance(answer, str):
        raise Refusal(f"{name} cannot say what the program is there: {answer}")
    try:
        check_shape(answer, SHAPE, f"what {name} says of the program")
    except SchemaError as error:
        raise Refusal(str(error)) from error
    return answer


def _faults(command: str, name: str, answer: Mapping[str, Any]) -> list[str]:
    """What keeps the program from starting on a node."""
    faults = [f"{name}: {answer['problem']}"] if answer["problem"] else []
    if answer["made_for"] not in (None, answer["machine"]):
        faults.append(f"{command} is made for {answer['made_for']}, and {name} is {answer['machine']}: build it there")
    faults += [
        f"{command} needs {library}, which {name} does not find: install it there, or name its folder by "
        "LD_LIBRARY_PATH or an rpath"
        for library in answer["missing"]
    ]
    return faults


def _version(answer: Mapping[str, Any]) -> str:
    """The library's first line; empty where there is none."""
    lines = (answer["mpi_version"] or "").splitlines()
    return " ".join(lines[0].split(",")[0].split()) if lines else ""


def _family(text: str) -> tuple[str, str] | None:
    """The launcher for a library, and the library's version."""
    for name in OF_RANKS:
        if found := LAUNCHERS[name].library.search(text):
            return name, found[1]
    return None


def _started(command: str, wanted: str | None, node: str, answer: Mapping[str, Any]) -> Started:
    family = _family(answer["mpi_version"] or "")
    if family is None:
        if answer["mpi"] is not None:
            raise Refusal(f"{command} loads {answer['mpi']} on {node}, an MPI of none of {', '.join(OF_RANKS)}")
        if wanted is None:
            raise Refusal(
                f"{command} does not say which MPI it uses (no MPI among its libraries on {node}): "
                f"give --mpi, one of {', '.join(OF_RANKS)}"
            )
        return _by_name(wanted, node, answer)
    name, version = family
    if wanted is not None and wanted != name:
        raise Refusal(
            f"{command} loads {_version(answer)} ({answer['mpi']}) on {node}, and {wanted} is another MPI: its ranks "
            f"would each run alone, with all the work; use mpi = {name}, or build it with that MPI's compiler"
        )
    found = _programs(name, answer)
    exact = [path for path, says in found if says == version] or (
        [] if name.startswith("openmpi") else [p for p, _ in found]
    )
    if not exact:
        others = ", ".join(f"{path} of {says}" for path, says in found) or "none"
        raise Refusal(
            f"{command} loads {_version(answer)} ({answer['mpi']}), and {node} has no launcher of that version (found: "
            f"{others}): install it, or put its folder on the PATH"
        )
    return Started(name, PurePosixPath(exact[0]), f"{_version(answer)}, {answer['mpi']}, started by {exact[0]}")


def _by_name(wanted: str, node: str, answer: Mapping[str, Any]) -> Started:
    """The launcher that a person named, for a program that does not say what it needs."""
    found = _programs(wanted, answer)
    if not found:
        raise Refusal(f"mpi = {wanted}, but {node} has no launcher of it: install it, or put its folder on the PATH")
    return Started(wanted, PurePosixPath(found[0][0]), f"{wanted} {found[0][1]} as named, {found[0][0]}")


def _programs(name: str, answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The launcher's programs on the head, each with its version."""
    pattern = launchers.find(name).version
    found = ((item["path"], pattern.search(item["says"])) for item in answer["launchers"])
    return [(path, next(filter(None, match.groups()))) for path, match in found if match]
