"""The inventory: the JSON document that describes a cluster, written by whatever made the cluster."""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from orchestration.errors import Refusal
from orchestration.messages import explain
from workload.record.files import read_json
from workload.record.schema import SchemaError

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
ADDRESS = r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"  # no leading dash: it is passed in argument lists
PATTERNS = {
    NAME: "give letters, digits and . _ -, a letter or digit first",
    ADDRESS: "give a host's name or address: letters, digits and . _ : -, a letter or digit first",
}
NODE_PATH = r"/[A-Za-z0-9._+@/-]+"  # absolute, without spaces: mpirun splits its daemons' command at spaces
Name = Annotated[str, Field(pattern=NAME, max_length=200)]
Address = Annotated[str, Field(pattern=ADDRESS, max_length=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Ssh(_Strict):
    """How the operator reaches a node: directly, through the head, or through Google's IAP."""

    via: Literal["direct", "head", "iap"]
    host: Address | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    project: Name | None = None
    zone: Name | None = None
    instance: Name | None = None


class Price(_Strict):
    """What the whole cluster costs an hour, the date of that price, and whether it is that of spot machines."""

    amount_per_hour: Annotated[float, Field(ge=0)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    spot: bool = False


class Node(_Strict):
    """One machine. The nodes reach each other at `address`; `slots` is the number of ranks it takes.

    `gpus` is how many GPUs it was made with, 0 where nobody said.
    """

    name: Name
    address: Address
    slots: Annotated[int, Field(ge=1, le=65536)]
    memory_bytes: Annotated[int, Field(ge=1)]
    machine_type: str | None = None
    gpus: Annotated[int, Field(ge=0, le=64)] = 0
    ssh: Ssh | None = None


class SlurmJob(_Strict):
    """The job whose allocation the nodes are. `cluster` is Slurm's name for itself; older inventories lack it.

    `shared`: other jobs may run on one of the nodes at the same time. `mpi`: the ways in which srun starts ranks.
    `launchers`: by MPI, srun or mpirun, where the cluster's description chooses. `restarts`: how often Slurm put the
    job into the queue again, each time perhaps for other nodes.
    """

    cluster: str = ""
    job: Annotated[int, Field(ge=1)]
    partition: Name
    shared: bool = False
    mpi: tuple[str, ...] = ()
    launchers: dict[str, str] = {}
    restarts: Annotated[int, Field(ge=0)] = 0

    @property
    def of_record(self) -> dict[str, Any]:
        """What a record says of the job that it was made in."""
        return self.model_dump(include={"cluster", "job", "restarts", "shared"})

    @field_validator("mpi", mode="before")
    @classmethod
    def _of_json(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


THIS_MACHINE = "local"  # the executor whose only node is the operator's own machine


class Inventory(_Strict):
    """A cluster; `nodes[0]` is the head. mpirun is in the folder of `python`; `workdir` holds workload/.

    `executor`: how jobs get to the head, one of executors.connect.EXECUTORS. Older inventories call it `launcher`.
    `mixed_processors`: the provider chooses each node's processor, so the nodes may differ. `cpu_platform`: the oldest
    processor that was accepted, in the provider's words. `placement`: "compact" where nodes close together were asked
    for. `bandwidth_tier`: the provider's word for the network that was paid for. `slurm`: of an allocation.
    """

    schema_version: Literal[1]
    cluster: Name
    profile: Name
    default_study: str
    executor: Name  # first, because the checks of the paths depend on it
    python: str
    workdir: str
    user: Name | None = None
    key_file: str | None = None
    known_hosts: str | None = None
    interface_subnet: Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/\d{1,3}$")] | None = None
    transport: Literal["auto", "tcp"]
    mixed_processors: bool = False
    cpu_platform: str | None = None
    placement: Literal["compact"] | None = None
    bandwidth_tier: str | None = None
    slurm: SlurmJob | None = None
    created_at: str
    expires_at: str | None = None
    price: Price | None = None
    nodes: Annotated[list[Node], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _older_key(cls, document: Any) -> Any:
        if isinstance(document, dict) and "launcher" in document and "executor" not in document:
            return {("executor" if key == "launcher" else key): value for key, value in document.items()}
        return document

    @property
    def machine_type(self) -> str:
        """The one machine type of all nodes; empty where it is not known, or they have several."""
        types = {node.machine_type or "" for node in self.nodes}
        return types.pop() if len(types) == 1 else ""

    @property
    def is_this_machine(self) -> bool:
        """True where jobs run on the operator's own machine."""
        return self.executor == THIS_MACHINE

    @field_validator("python", "workdir")
    @classmethod
    def _path_on_nodes(cls, value: str, info: ValidationInfo) -> str:
        plain = re.fullmatch(NODE_PATH, value) and ".." not in value.split("/")
        if info.data.get("executor") != THIS_MACHINE and not plain:
            raise ValueError("give an absolute path of letters, digits and . _ + @ / -")
        return value

    @field_validator("interface_subnet")
    @classmethod
    def _subnet(cls, value: str | None) -> str | None:
        if value is not None:
            ipaddress.ip_network(value, strict=False)
        return value

    @field_validator("expires_at")
    @classmethod
    def _time(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                datetime.datetime.fromisoformat(value)
            except ValueError:
                raise ValueError("give a time such as 2026-07-30T18:00:00Z") from None
        return value

    @field_validator("nodes")
    @classmethod
    def _distinct(cls, nodes: list[Node]) -> list[Node]:
        for what in ("name", "address"):
            (value, count), *_ = Counter(getattr(node, what) for node in nodes).most_common(1)
            if count > 1:
                raise ValueError(f"{count} nodes have the {what} {value}: list every machine once")
        return nodes

    @property
    def slots(self) -> int:
        """The ranks that all nodes take together."""
        return sum(node.slots for node in self.nodes)


def parse(document: dict[str, Any], name: str) -> Inventory:
    """The inventory in a document; `name` says where it came from. Raises Refusal naming the first wrong key."""
    try:
        return Inventory.model_validate(document)
    except ValidationError as error:
        raise Refusal(f"{name}: {explain(error, Inventory, PATTERNS)}") from error


def read(path: Path) -> Inventory:
    """The inventory in a JSON file. Raises Refusal."""
    try:
        return parse(read_json(path), str(path))
    except SchemaError as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"{path}: the inventory cannot be read ({error.strerror}): give another file") from error


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the document."""
    return Inventory.model_json_schema()
