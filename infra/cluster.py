"""The nodes: fixed internal addresses in rank order, an end that Google enforces, no way in but SSH by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import rules
from network import Network
from price import has_external_v4
from profiles import Profile
from pulumi_gcp import compute
from startup import Startup

FIRST_ADDRESS = 2  # of the subnet: Google keeps the first two and the last two


def node_names(profile: Profile) -> list[str]:
    """The inventory's names, in rank order."""
    return [f"node{number}" for number in range(1, profile.nodes + 1)]


def internal_address(profile: Profile, rank: int) -> str:
    """The address that the other nodes call a node by."""
    return str(profile.subnet[FIRST_ADDRESS + rank])


def address(
    profile: Profile, rank: int, subnet_link: pulumi.Input[str], labels: Mapping[str, str]
) -> compute.AddressArgs:
    """A node's internal address, reserved."""
    return compute.AddressArgs(
        name=f"{rules.prefix(profile.stack)}{node_names(profile)[rank]}",
        project=profile.project,
        region=profile.region,
        address_type="INTERNAL",
        purpose="GCE_ENDPOINT",
        address=internal_address(profile, rank),
        subnetwork=subnet_link,
        labels=labels,
    )


@dataclass(frozen=True)
class Links:
    """What a node hangs on: its subnet, its address there, and the placement policy where the profile wants one."""

    subnet: pulumi.Input[str]
    address: pulumi.Input[str]
    placement: pulumi.Input[str] | None


def instance(
    profile: Profile, rank: int, startup: Startup, *, links: Links, labels: Mapping[str, str]
) -> compute.InstanceArgs:
    """One node."""
    name = f"{rules.prefix(profile.stack)}{node_names(profile)[rank]}"
    return compute.InstanceArgs(
        name=name,
        project=profile.project,
        zone=profile.zone,
        machine_type=profile.machine.name,
        min_cpu_platform=profile.min_cpu_platform,
        advanced_machine_features=_threads(profile),
        boot_disk=compute.InstanceBootDiskArgs(
            auto_delete=True,
            initialize_params=compute.InstanceBootDiskInitializeParamsArgs(
                image=profile.image, size=profile.disk_gib, type=profile.disk_type, labels=labels
            ),
        ),
        network_interfaces=[_interface(profile, rank, links)],
        resource_policies=links.placement if profile.compact else None,
        shielded_instance_config=compute.InstanceShieldedInstanceConfigArgs(
            enable_secure_boot=True, enable_vtpm=True, enable_integrity_monitoring=True
        ),
        scheduling=_scheduling(profile, rank),
        can_ip_forward=False,
        labels=labels,
        metadata={
            "block-project-ssh-keys": "TRUE",
            "enable-guest-attributes": "TRUE",  # where the node says its host key, and how its start went
            "enable-oslogin": "FALSE",
            "serial-port-enable": "FALSE",
            "startup-script": startup.script("node" if rank else "head"),
        },
        tags=[name],
    )


def _threads(profile: Profile) -> compute.InstanceAdvancedMachineFeaturesArgs | None:
    if profile.threads_per_core is None:
        return None
    return compute.InstanceAdvancedMachineFeaturesArgs(threads_per_core=profile.threads_per_core)


def _interface(profile: Profile, rank: int, links: Links) -> compute.InstanceNetworkInterfaceArgs:
    """Rank 0's alone may have addresses of the internet. They are not kept when the node stops: no bill then."""
    four = rank == 0 and has_external_v4(profile)
    six = rank == 0 and profile.external_address and 6 in profile.versions
    return compute.InstanceNetworkInterfaceArgs(
        subnetwork=links.subnet,
        subnetwork_project=profile.project,
        network_ip=links.address,
        nic_type="GVNIC",
        stack_type="IPV4_IPV6" if six else "IPV4_ONLY",
        access_configs=[compute.InstanceNetworkInterfaceAccessConfigArgs(network_tier="PREMIUM")] if four else None,
        ipv6_access_configs=(
            [compute.InstanceNetworkInterfaceIpv6AccessConfigArgs(network_tier="PREMIUM")] if six else None
        ),
    )


def _scheduling(profile: Profile, rank: int) -> compute.InstanceSchedulingArgs:
    """At the lifetime's end Google stops rank 0's node, whose disk has the records, and deletes the others."""
    return compute.InstanceSchedulingArgs(
        provisioning_model="SPOT" if profile.spot else "STANDARD",
        preemptible=profile.spot,
        on_host_maintenance="MIGRATE" if profile.stays_up else "TERMINATE",
        automatic_restart=False,  # what Google ended stays ended
        max_run_duration=compute.InstanceSchedulingMaxRunDurationArgs(seconds=profile.lifetime_s),
        instance_termination_action="DELETE" if rank else "STOP",
    )


def options(profile: Profile, rank: int, ours: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Of a node. Rank 0's is protected: what was measured lies on its disk, and on no other's.

    Some things stay as they were when the node was made. Another label of the disk would be another disk; and so would
    the project's default image, which moves with it.
    """
    kept = ["bootDisk.initializeParams.labels"]
    if not profile.image_chosen:
        kept.append("bootDisk.initializeParams.image")
    return pulumi.ResourceOptions.merge(ours, pulumi.ResourceOptions(ignore_changes=kept, protect=rank == 0))


class Cluster(pulumi.ComponentResource):
    """All nodes of a profile; `nodes` in rank order."""

    nodes: Sequence[compute.Instance]

    def __init__(self, name: str, profile: Profile, network: Network, startup: Startup, labels: Mapping[str, str]):
        super().__init__("convscale:infra:Cluster", name)
        # the expiry is the clock's at the first start: written once, or every `up` would change it
        ours = pulumi.ResourceOptions(parent=self, delete_before_replace=True, ignore_changes=["labels"])
        started = pulumi.ResourceOptions.merge(
            ours,
            pulumi.ResourceOptions(depends_on=network.ways_out),  # packages come through NAT
        )
        self.nodes = []
        for rank in range(profile.nodes):
            own = address(profile, rank, network.subnet_link, labels)
            kept = compute.Address(f"{own.name}-address", own, opts=ours)
            node = instance(
                profile,
                rank,
                startup,
                links=Links(network.subnet_link, kept.address, network.placement_link),
                labels=labels,
            )
            self.nodes.append(compute.Instance(str(node.name), node, opts=options(profile, rank, started)))
        self.register_outputs({})
