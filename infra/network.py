"""The cluster's own network: nothing comes in but SSH from where the person said, and what nodes say to each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pulumi
import rules
from price import needing_nat
from profiles import Profile
from pulumi_gcp import compute

MTU = 8896  # the largest that Google's network carries


def network(profile: Profile) -> compute.NetworkArgs:
    """A network without subnets but ours."""
    return compute.NetworkArgs(
        name=f"{rules.prefix(profile.stack)}network",
        project=profile.project,
        auto_create_subnetworks=False,
        mtu=MTU,
        routing_mode="REGIONAL",
    )


def subnetwork(profile: Profile, network_link: pulumi.Input[str]) -> compute.SubnetworkArgs:
    """The subnet of all nodes; with IPv6 where the person comes by it."""
    six = 6 in profile.versions
    return compute.SubnetworkArgs(
        name=f"{rules.prefix(profile.stack)}subnet",
        project=profile.project,
        region=profile.region,
        network=network_link,
        ip_cidr_range=str(profile.subnet),
        private_ip_google_access=True,
        stack_type="IPV4_IPV6" if six else "IPV4_ONLY",
        ipv6_access_type="EXTERNAL" if six else None,
    )


def ssh_sources(profile: Profile) -> dict[str, list[str]]:
    """Who may knock at rank 0's SSH, by the name of the firewall rule: Google takes no rule of both IP versions."""
    if profile.by_proxy:
        return {"ssh": [str(rules.IAP_RANGE)]}
    by_version = {
        name: [text for text in profile.ssh_from if ipaddress.ip_network(text).version == version]
        for name, version in (("ssh", 4), ("ssh6", 6))
    }
    return {name: sources for name, sources in by_version.items() if sources}


def firewalls(profile: Profile, network_link: pulumi.Input[str]) -> list[compute.FirewallArgs]:
    """The rules that let something in; Google refuses everything else by itself."""
    prefix = rules.prefix(profile.stack)
    ssh = [
        compute.FirewallArgs(
            name=f"{prefix}{name}",
            project=profile.project,
            network=network_link,
            direction="INGRESS",
            source_ranges=sources,
            target_tags=[rules.head(profile.stack)],
            allows=[compute.FirewallAllowArgs(protocol="tcp", ports=["22"])],
        )
        for name, sources in ssh_sources(profile).items()
    ]
    inside = compute.FirewallArgs(
        name=f"{prefix}inside",
        project=profile.project,
        network=network_link,
        direction="INGRESS",
        source_ranges=[str(profile.subnet)],
        allows=[compute.FirewallAllowArgs(protocol="all")],
    )
    return [*ssh, inside]


def router(profile: Profile, network_link: pulumi.Input[str]) -> compute.RouterArgs:
    """What NAT hangs on."""
    return compute.RouterArgs(
        name=f"{rules.prefix(profile.stack)}router",
        project=profile.project,
        region=profile.region,
        network=network_link,
    )


def nat(profile: Profile, router_name: pulumi.Input[str], subnet_link: pulumi.Input[str]) -> compute.RouterNatArgs:
    """The way out for nodes without an external address; nothing comes in by it."""
    return compute.RouterNatArgs(
        name=f"{rules.prefix(profile.stack)}nat",
        project=profile.project,
        region=profile.region,
        router=router_name,
        nat_ip_allocate_option="AUTO_ONLY",
        source_subnetwork_ip_ranges_to_nat="LIST_OF_SUBNETWORKS",
        subnetworks=[
            compute.RouterNatSubnetworkArgs(name=subnet_link, source_ip_ranges_to_nats=["PRIMARY_IP_RANGE"]),
        ],
    )


def placement(profile: Profile) -> compute.ResourcePolicyArgs:
    """The wish that the nodes stand close together: as close as Google can, for no distance is named."""
    return compute.ResourcePolicyArgs(
        name=f"{rules.prefix(profile.stack)}placement",
        project=profile.project,
        region=profile.region,
        group_placement_policy=compute.ResourcePolicyGroupPlacementPolicyArgs(collocation="COLLOCATED"),
    )


class Network(pulumi.ComponentResource):
    """Network, subnet, firewall, NAT where a node needs it, and how close the nodes are to stand.

    `placement_link` is None where nothing was said of that.
    """

    subnet_link: pulumi.Output[str]
    placement_link: pulumi.Output[str] | None
    ways_out: Sequence[pulumi.Resource]

    def __init__(self, name: str, profile: Profile) -> None:
        super().__init__("convscale:infra:Network", name)
        ours = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        prefix = rules.prefix(profile.stack)
        vpc = compute.Network(f"{prefix}network", network(profile), opts=ours)
        subnet = compute.Subnetwork(f"{prefix}subnet", subnetwork(profile, vpc.self_link), opts=ours)
        for each in firewalls(profile, vpc.self_link):
            compute.Firewall(str(each.name), each, opts=ours)
        self.subnet_link = subnet.self_link
        self.placement_link = None
        if profile.compact:
            close = compute.ResourcePolicy(f"{prefix}placement", placement(profile), opts=ours)
            self.placement_link = close.self_link
        self.ways_out = []
        if needing_nat(profile):
            gate = compute.Router(f"{prefix}router", router(profile, vpc.self_link), opts=ours)
            way = compute.RouterNat(f"{prefix}nat", nat(profile, gate.name, subnet.self_link), opts=ours)
            self.ways_out = [way]
        self.register_outputs({})
