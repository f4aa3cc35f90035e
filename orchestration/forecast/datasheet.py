"""Clusters that nobody has probed: an inventory from their description, and a probe's document from stated figures.

infra/machines.toml says what a machine can do, with source and date. How much of a core's multiply-add rate a backend
reaches is taken from a probe of this machine, for nobody states it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra import hostfile, machines
from infra.machines import Catalogue, Limit, MachineType, Rate
from orchestration.clusters import inventory
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import DescribedNodes
from orchestration.errors import Refusal
from workload.record.schema import SCHEMA_VERSION

WITHIN_LATENCY_S = 1e-6  # order of magnitude of a message through shared memory
COPY_BYTES = 2**26
LOAD = 2.0  # bytes of memory traffic a byte of x that is made costs: the line read, and written
COPIES = 4.0  # bytes of memory traffic a byte sent within a node costs: copied in, copied out
LAUNCH_S = 1e-5  # order of magnitude of a kernel's launch, until the host knows that it is done
OF_GPUS = ("link_bytes_per_s", "memory_bytes_per_s", "flops_per_s")
NEEDED = ("cores", "memory_bytes_per_s", "flops_per_s", "network_bytes_per_s", "network_latency_s")


@dataclass(frozen=True)
class Stated:
    """What is known about a cluster before it exists; `notes` name the sources.

    `spot_share` is the price of a spot machine over that on demand, None where nobody has stated both.
    """

    inventory: Inventory
    probe: Mapping[str, Any]
    notes: tuple[str, ...]
    spot_share: float | None = None


def describe(name: str, described: DescribedNodes, root: Path, utc: str, measured: Mapping[str, Any]) -> Stated:
    """A cluster of the described nodes; `measured` is the document of a probe of this machine. Raises Refusal."""
    catalogue = machines.read(root / "infra" / "machines.toml")
    machine = catalogue.machines.get(described.machine_type)
    limits = {} if machine is None else _limits(machine)
    lacking = [key for key in NEEDED if key not in limits]
    if machine is None or lacking:
        raise Refusal(
            f"infra/machines.toml does not state {', '.join(lacking)} of {described.machine_type}: state them, or "
            f"bring the cluster up and measure it with 'fab probe --cluster {name}'"
        )
    slots = described.slots or machine.vcpus
    found = _inventory(name, described.count, slots, machine, catalogue, utc)
    notes = [f"Nobody has measured {name}: these are stated figures of {machine.name}, no interval follows from them."]
    notes += [f"{key} {limits[key].value:g}: {limits[key].basis}, {_source(limits[key])}" for key in NEEDED]
    notes.append("Of a core's multiply-add rate each backend is taken to reach what it does on this machine.")
    if machine.gpus is not None:
        of_gpus = [(key, machine.gpus.limits[key]) for key in OF_GPUS if key in machine.gpus.limits]
        notes += [f"GPU's {key} {limit.value:g}: {limit.basis}, {_source(limit)}" for key, limit in of_gpus]
    if machine.on_demand is not None:
        notes.append(
            "The price is the machines' alone, on demand, without disks, addresses and traffic: "
            f"{_source(machine.on_demand)}"
        )
    probe = _probe(name, described.count * slots, limits, _shares(measured))
    probe["nodes"][0].update(_gpus(machine))
    return Stated(found, probe, tuple(notes), _spot_share(machine))


def described_inventory(name: str, described: DescribedNodes, root: Path, utc: str) -> Inventory | None:
    """The cluster's inventory as described, without a probe; None where nobody has described its machines."""
    catalogue = machines.read(root / "infra" / "machines.toml")
    machine = catalogue.machines.get(described.machine_type)
    if machine is None:
        return None
    return _inventory(name, described.count, described.slots or machine.vcpus, machine, catalogue, utc)


def _spot_share(machine: MachineType) -> float | None:
    if machine.spot is None or machine.on_demand is None:
        return None
    return machine.spot.amount_per_hour / machine.on_demand.amount_per_hour


def _limits(machine: MachineType) -> dict[str, Limit]:
    """What is known of a machine, its cores among it."""
    return {**machine.limits, **({} if machine.cores is None else {"cores": machine.cores})}


def _source(said: Limit | Rate) -> str:
    return f"{said.source} ({said.date})."


def _inventory(name: str, nodes: int, slots: int, machine: MachineType, catalogue: Catalogue, utc: str) -> Inventory:
    cluster: dict[str, Any] = {
        "cluster": name, "profile": name, "default_study": "paper", "executor": "ssh",
        "python": "/opt/convscale/venv/bin/python", "workdir": "/opt/convscale", "transport": "tcp", "created_at": utc,
    }  # fmt: skip
    if (price := machine.on_demand) is not None:
        cluster["price"] = {
            "amount_per_hour": nodes * price.amount_per_hour, "currency": catalogue.currency, "date": price.date,
        }  # fmt: skip
    made = [
        {
            "name": f"node{number}", "address": f"node{number}", "slots": slots,
            "memory_bytes": machine.memory_bytes, "machine_type": machine.name,
        }
        for number in range(1, nodes + 1)
    ]  # fmt: skip
    return inventory.parse(hostfile.describe(cluster, made)[1], f"Pulumi.{name}.yaml")


def _shares(measured: Mapping[str, Any]) -> dict[str, float]:
    """What each backend reaches of the multiply-add rate of one rank that is alone at work. Raises Refusal."""
    try:
        node = measured["nodes"][0]
        peak = max(float(item["flops_per_s"]) for item in node["multiply_add"] if item["active"] == 1)
        alone = {item["backend"]: float(item["flops_per_s"]) for item in node["convolve"] if item["active"] == 1}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Refusal(f"the probe of this machine lacks {error}: run 'fab probe' again") from error
    return {backend: min(1.0, rate / peak) for backend, rate in alone.items()}


def _probe(name: str, ranks: int, limits: Mapping[str, Limit], shares: Mapping[str, float]) -> dict[str, Any]:
    """As workload.probe would write it."""
    values = {key: limits[key].value for key in NEEDED}
    cores = int(values["cores"])
    core = values["flops_per_s"] / cores
    within = values["memory_bytes_per_s"] / COPIES
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "probe",
        "cluster": name,
        "measured_utc": f"stated, {min(limits[key].date for key in NEEDED)}",
        "ranks": ranks,
        "links": [
            _link("within", WITHIN_LATENCY_S, within),
            _link("between", values["network_latency_s"], values["network_bytes_per_s"]),
        ],
        "nodes": [
            {
                "memory": [
                    {"active": active, "copy_bytes": COPY_BYTES, "bytes_per_s": values["memory_bytes_per_s"]}
                    for active in {1, cores}
                ],
                "load": [
                    {"active": active, "bytes_per_s": values["memory_bytes_per_s"] / LOAD / active}
                    for active in {1, cores}
                ],
                "multiply_add": [{"active": active, "flops_per_s": core} for active in {1, cores}],
                "convolve": [
                    {"backend": backend, "active": active, "flops_per_s": share * core}
                    for backend, share in shares.items()
                    for active in {1, cores}
                ],
            }
        ],
    }


def _gpus(machine: MachineType) -> dict[str, Any]:
    """What a node's entry has of GPUs: of each what is stated of it, however many are at work."""
    if machine.gpus is None or not all(key in machine.gpus.limits for key in OF_GPUS):
        return {"gpus_left_out": f"infra/machines.toml states none of {machine.name}"}
    link, memory, flops = (machine.gpus.limits[key].value for key in OF_GPUS)
    actives = sorted({1, machine.gpus.count})
    rates = {"to_device": link, "to_host": link, "both": 2 * link, "copy": memory}
    copies = {kind: [{"active": each, "bytes_per_s": rate} for each in actives] for kind, rate in rates.items()}
    return {
        "gpus": {
            "count": machine.gpus.count,
            "devices": [],
            **copies,
            "multiply_add": [{"active": each, "flops_per_s": flops} for each in actives],
            "launch": [{"active": each, "launch_s": LAUNCH_S} for each in actives],
        }
    }


def _link(scope: str, latency_s: float, bytes_per_s: float) -> dict[str, Any]:
    sizes = (8, 2**14, 2**24)
    return {
        "scope": scope,
        "messages": [{"bytes": size, "one_way_s": latency_s + size / bytes_per_s} for size in sizes],
    }
