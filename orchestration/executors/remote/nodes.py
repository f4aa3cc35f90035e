"""The nodes of a cluster, each described by itself. They are asked once, through the head."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from orchestration.clusters.inventory import Inventory, Node
from orchestration.errors import Refusal
from orchestration.executors.remote.fanout import Answer
from orchestration.executors.remote.survey import parse, printable, unreached
from orchestration.jobs.executor import Site
from orchestration.jobs.job import TEMPORARY
from orchestration.python import isolated
from workload.agent.standalone.bundle import bundle

Result = TypeVar("Result")


class Asker(Protocol):
    """Runs a command on all nodes at once."""

    @property
    def known_hosts(self) -> str: ...

    def ask(self, argv: Sequence[str], *, stdin: str = "", limit_s: float = 30.0) -> list[Answer]: ...


class NodeAccess(Protocol):
    """What reaches the nodes of a cluster: its head over SSH, or srun."""

    @property
    def inventory(self) -> Inventory: ...

    @property
    def name(self) -> str:
        """The inventory's name of the head."""
        ...

    @property
    def nodes(self) -> Asker: ...

    def reach(self, action: Callable[[], Result]) -> Result: ...

    def module(self, module: str, *words: str) -> list[str]: ...

    def survey(self) -> list[Answer]: ...


class SurveyedNodes:
    """The nodes of a cluster. After `forget` they are asked again."""

    def __init__(self, head: NodeAccess) -> None:
        self._head = head
        self._surveys: list[dict[str, Any] | Answer] | None = None

    @property
    def inventory(self) -> Inventory:
        return self._head.inventory

    def surveys(self) -> list[dict[str, Any] | Answer]:
        """Each node's description of itself; the answer itself where it gave none. Raises Refusal."""
        if self._surveys is None:
            self._surveys = [parse(answer) for answer in self._head.reach(self._head.survey)]
        return self._surveys

    def forget(self) -> None:
        """The next survey is a new one."""
        self._surveys = None

    def descriptions(self) -> list[dict[str, Any] | str]:
        """The surveys, with the reason in words where a node gave none."""
        return [item.why if isinstance(item, Answer) else item for item in self.surveys()]

    def lack(self, digest: str) -> bool:
        """True where a node that can be asked has another workload than that."""
        return any(not isinstance(item, Answer) and item["workload"] != digest for item in self.surveys())

    def machines(self) -> list[dict[str, Any]]:
        """The descriptions of the nodes for the records. Raises Refusal that names every node without one."""
        found, wrong = [], []
        for node, item in self._pairs():
            if isinstance(item, Answer):
                wrong.append(unreached(self.inventory, node, item.why))
            elif not isinstance(item["machine"], dict):
                wrong.append(f"{node.name} cannot run the workload ({item['machine']}): 'fab check' says more")
            else:
                found.append(item["machine"])
        if wrong:
            raise Refusal("\nconvscale: ".join(wrong))
        return found

    def hostname(self) -> str:
        """The head's own name. Raises Refusal."""
        return str(self._of_head("hostname"))

    def names(self) -> Mapping[str, str]:
        """Host names and addresses of the nodes, each mapped to the node's name in the inventory."""
        found = {node.address: node.name for node in self.inventory.nodes}
        found |= {str(item["hostname"]): node.name for node, item in self._pairs() if not isinstance(item, Answer)}
        return found

    def site(self) -> Site:
        """What jobs depend on, as the head says. Raises Refusal."""
        hosts = [node.address for node in self.inventory.nodes]
        environment = {str(name): str(value) for name, value in dict(self._of_head("environment")).items()}
        return Site(int(self._of_head("uid")), TEMPORARY, environment, hosts, self._head.nodes.known_hosts)

    def unreached_pairs(self) -> list[list[str] | str]:
        """For each node the addresses of the others that it does not reach, or why it could not say."""
        program = bundle("neighbours")
        argv = isolated(self.inventory.python, "-", *(node.address for node in self.inventory.nodes))
        answers = self._head.reach(lambda: self._head.nodes.ask(argv, stdin=program, limit_s=60))
        return [_addresses(answer) for answer in answers]

    def ask(self, module: str, words: Sequence[str]) -> list[dict[str, Any] | str]:
        """The JSON object that a module of the workload prints on each node, or why it prints none. Raises Refusal."""
        argv = self._head.module(module, *words)
        answers = self._head.reach(lambda: self._head.nodes.ask(argv, limit_s=120))
        return [object_of(answer) for answer in answers]

    def _pairs(self) -> list[tuple[Node, dict[str, Any] | Answer]]:
        return list(zip(self.inventory.nodes, self.surveys(), strict=True))

    def _of_head(self, key: str) -> Any:
        head = self.surveys()[0]
        if isinstance(head, Answer):
            raise Refusal(f"{self._head.name} cannot describe itself: {head.why}")
        return head[key]


def object_of(answer: Answer) -> dict[str, Any] | str:
    """The JSON object that a node printed, or why it printed none."""
    try:
        document = json.loads(answer.out) if answer.status == 0 else None
    except (ValueError, RecursionError):
        return "it gave no answer"
    return printable(document) if isinstance(document, dict) else answer.why


def _addresses(answer: Answer) -> list[str] | str:
    try:
        document = json.loads(answer.out) if answer.status == 0 else answer.why
    except (ValueError, RecursionError):
        return "it gave no answer"
    return [str(item) for item in document] if isinstance(document, list) else str(document)
