"""Runs one command on all nodes at once, from the head: the operator's work does not grow with the nodes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from orchestration.clusters.inventory import Inventory, Node
from orchestration.python import isolated
from orchestration.ssh.connection import Done, UnreachableError, quote
from orchestration.ssh.options import NODE_OPTIONS
from workload.agent.standalone.bundle import bundle

# the head need not have our code yet: the program comes with the request
BOOT = (
    "import io, json, sys; asked = json.load(sys.stdin); sys.stdin = io.StringIO(json.dumps(asked['request'])); "
    "exec(compile(asked['program'], 'fanout', 'exec'))"
)
# bring a file to where it does not lie yet, whole or not at all: $1 is its path
COPY = 'test -e "$1" && exit; mkdir -p "$(dirname "$1")" && cat > "$1.$$.partial" && mv "$1.$$.partial" "$1"'

Run = Callable[[Sequence[str], bytes, float], Done]


@dataclass(frozen=True)
class Answer:
    """What came of a command on one node; `status` is None where it passed the limit, 255 where ssh failed."""

    node: Node
    status: int | None
    out: str
    err: str
    began: float  # by the head's clock
    ended: float

    @property
    def reached(self) -> bool:
        return self.status is not None and self.status != 255

    @property
    def why(self) -> str:
        """The last line that says what went wrong."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip() and not line.startswith("@")]
        said = lines[-1][:300] if lines else f"status {self.status}"
        return "".join(character if character.isprintable() else " " for character in said)


@dataclass(frozen=True)
class Fanout:
    """Runs commands on the nodes of an inventory, through the head; `run` executes a command on the head."""

    inventory: Inventory
    known_hosts: str
    run: Run

    def ask(
        self,
        argv: Sequence[str],
        *,
        of: Sequence[Node] | None = None,
        stdin: str = "",
        stdin_file: PurePosixPath | None = None,
        limit_s: float = 30.0,
    ) -> list[Answer]:
        """The command on the nodes (all of them, or those of `of`), on the head itself without SSH.

        Raises what `run` does; UnreachableError where the head's answer is none.
        """
        nodes = list(self.inventory.nodes if of is None else of)
        options = [word for option in (*NODE_OPTIONS, f"User={self.inventory.user}") for word in ("-o", option)]
        request = {
            "hosts": [node.address for node in nodes],
            "head": self.inventory.nodes[0].address,
            "argv": list(argv),
            "command": quote(argv),
            "stdin": stdin,
            "stdin_file": None if stdin_file is None else str(stdin_file),
            "options": options,
            "known_hosts": self.known_hosts,
            "limit_s": limit_s,
        }
        program = bundle("fanout")
        asked = json.dumps({"program": program, "request": request}).encode()
        rounds = -(-len(nodes) // 32)
        done = self.run(isolated(self.inventory.python, "-c", BOOT), asked, rounds * limit_s + 20)
        return [Answer(node, **_answer(item)) for node, item in zip(nodes, _list(done, len(nodes)), strict=True)]

    def survey(self, marker: str) -> list[Answer]:
        """Every node's own description, as JSON in `out`; `marker` is a file of the head's work folder."""
        program = bundle("survey")
        return self.ask(isolated(self.inventory.python, "-", self.inventory.workdir, marker), stdin=program, limit_s=60)

    def copy(self, path: PurePosixPath) -> list[Answer]:
        """Brings a file of the head to the same path on every node that lacks it."""
        return self.ask(["sh", "-c", COPY, "sh", str(path)], stdin_file=path, limit_s=600)


def _list(done: Done, count: int) -> list[Any]:
    """The fan-out's answers. Raises UnreachableError where they are none."""
    try:
        items = json.loads(done.out)
    except (ValueError, RecursionError):
        items = None
    if not isinstance(items, list) or len(items) != count:
        words = done.err.decode(errors="replace").strip().splitlines() or [f"status {done.status}"]
        raise UnreachableError(f"the head could not ask the nodes: {words[-1][:300]}")
    return items


def _answer(item: Any) -> dict[str, Any]:
    """One node's answer, of the shape that Answer has, whatever came."""
    item = item if isinstance(item, dict) else {}
    status = item.get("status")
    return {
        "status": status if isinstance(status, int) else None,
        "out": str(item.get("stdout", "")),
        "err": str(item.get("stderr", "")),
        "began": _seconds(item.get("began")),
        "ended": _seconds(item.get("ended")),
    }


def _seconds(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
