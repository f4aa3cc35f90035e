"""What no cluster of ours may ever be. Pure: facts in, the broken rules out, one line each.

The program applies it before it registers anything, the policy pack to what the engine is about to do. Facts come
from facts.py in both cases. No fact that is missing counts as safe.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

STACK = r"[a-z][a-z0-9]{0,19}"  # no dash: then no stack's prefix is another's
LONGEST_S = 7 * 86400
# A name of an exact image, never a family, which moves
IMAGE = r"projects/[a-z0-9.:-]+/global/images/(?!family/)[a-z0-9-]+"
LABELS = ("expiry", "owner", "study")
# Google's identity-aware proxy forwards from here, and to those alone whom the project lets through it
IAP_RANGE = ipaddress.ip_network("35.235.240.0/20")
WIDEST = {4: 24, 6: 56}
PRIVATE = [ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
# Addresses that nobody has on the internet: to let one in is a mistake
SPECIAL = ("0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")
NOWHERE = [*PRIVATE, *(ipaddress.IPv4Network(text) for text in SPECIAL)]
GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
TUNNELS_V6 = [ipaddress.IPv6Network(text) for text in ("2001::/32", "2002::/16")]  # IPv4 inside: Teredo, 6to4

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Opening:
    """A firewall rule that lets traffic in: from which ranges, to which (protocol, ports); no ports are all."""

    name: str
    sources: tuple[str, ...]
    opens: tuple[tuple[str, tuple[str, ...]], ...]
    others: tuple[str, ...] = ()  # sources that are no ranges: tags, service accounts


@dataclass(frozen=True)
class NodeFact:
    """A machine; `run_s` is after how long Google ends it, None for never, and `end` what it does then."""

    name: str
    machine_type: str
    image: str
    external: bool
    run_s: int | None
    end: str | None
    restarts: bool
    labels: Mapping[str, str]
    metadata: Mapping[str, str]
    service_account: bool
    secure_boot: bool


@dataclass(frozen=True)
class Thing:
    """Anything else of ours; `labels` is None where its type has none."""

    name: str
    labels: Mapping[str, str] | None


Fact = Opening | NodeFact | Thing


def prefix(stack: str) -> str:
    """What every name of a stack begins with."""
    return f"convscale-{stack}-"


def head(stack: str) -> str:
    """Rank 0's name, the only one that may have an external address."""
    return f"{prefix(stack)}node1"


def broken(facts: Sequence[Fact], stack: str, machine_types: Collection[str]) -> list[str]:
    """The rules that the cluster of a stack breaks, all of them; empty where it is safe."""
    lines = [line for fact in facts for line in one(fact, stack, machine_types)]
    return [*lines, *together([fact for fact in facts if isinstance(fact, Opening)])]


def one(fact: Fact, stack: str, machine_types: Collection[str]) -> list[str]:
    """The rules that one thing breaks by itself."""
    lines = [] if re.fullmatch(STACK, stack) else [f"stack {stack!r}: give a name of letters and digits, at most 20"]
    if not fact.name.startswith(prefix(stack)):
        lines.append(f"{fact.name}: every name must begin with {prefix(stack)}")
    match fact:
        case NodeFact():
            return [*lines, *_node(fact, stack, machine_types), *_labels(fact.name, fact.labels)]
        case Opening():
            return [*lines, *_opening(fact)]
        case Thing():
            return [*lines, *([] if fact.labels is None else _labels(fact.name, fact.labels))]


def together(openings: Sequence[Opening]) -> list[str]:
    """The rules that firewall rules break only with each other: the sum of who may enter."""
    ranges = [text for each in openings if not range_faults(each.sources) for text in each.sources]
    return [f"firewall rules together: {line}" for line in range_faults(outside(ranges))]


def outside(ranges: Sequence[str]) -> list[str]:
    """The ranges that are neither a private network's nor Google's proxy's."""
    return [text for text in ranges if not _inside(text) and text != str(IAP_RANGE)]


def range_faults(ranges: Sequence[str]) -> list[str]:
    """What is wrong with address ranges that may enter; the proxy's own and private ones are not judged here."""
    found: list[Network] = []
    for text in outside(ranges):
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            return [f"{text!r} is no address range such as 203.0.113.7/32"]
        if not _real(found[-1]):
            return [f"{text} is no range of the internet: give the address that you are seen with there"]
    four = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(each for each in found if isinstance(each, ipaddress.IPv6Network))
    return [*_width(list(four), 32 - WIDEST[4]), *_width(list(six), 128 - WIDEST[6])]


def _width(networks: Sequence[Network], most_bits: int) -> list[str]:
    """By the sum: two halves of the internet are the internet."""
    addresses = sum(each.num_addresses for each in networks)
    if addresses <= 2**most_bits:
        return []
    version, bits = networks[0].version, networks[0].max_prefixlen
    together = bits - (addresses - 1).bit_length()
    return [f"IPv{version} ranges that are a /{together} together; a /{bits - most_bits} is the widest"]


def _real(network: Network) -> bool:
    """Whether its addresses are the internet's; what is too wide is judged by its width instead."""
    if network.prefixlen < WIDEST[network.version]:
        return True
    if isinstance(network, ipaddress.IPv4Network):
        return not any(network.overlaps(each) for each in NOWHERE)
    return network.subnet_of(GLOBAL_V6) and not any(network.overlaps(each) for each in TUNNELS_V6)


def _inside(text: str) -> bool:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return False
    return any(network.subnet_of(each) for each in PRIVATE)


def _opening(fact: Opening) -> list[str]:
    if not fact.sources or fact.others:
        return [f"{fact.name}: says no address ranges that it lets in"]
    if all(_inside(text) for text in fact.sources):
        return []
    lines = [f"{fact.name}: {line}" for line in range_faults(fact.sources)]
    if any(_inside(text) for text in fact.sources):
        lines.append(f"{fact.name}: mixes private ranges with others")
    if any(opened != ("tcp", ("22",)) for opened in fact.opens) or not fact.opens:
        lines.append(f"{fact.name}: opens more than SSH (tcp 22) to the outside")
    return lines


def _node(fact: NodeFact, stack: str, machine_types: Collection[str]) -> list[str]:
    first = fact.name == head(stack)
    checks = {
        "only rank 0's node may have an external address": first or not fact.external,
        f"its lifetime must be from 1 s to {LONGEST_S} s": fact.run_s is not None and 0 < fact.run_s <= LONGEST_S,
        "at its lifetime's end rank 0's node must be stopped, every other deleted": (
            fact.end == ("STOP" if first else "DELETE")
        ),
        "must not restart by itself": not fact.restarts,
        f"machine type {fact.machine_type!r} is not described: infra/machines.toml or convscale:machine": (
            fact.machine_type in machine_types
        ),
        f"image {fact.image!r} is no exact one, projects/PROJECT/global/images/NAME": (
            re.fullmatch(IMAGE, fact.image) is not None
        ),
        "must have no service account": not fact.service_account,
        "must boot securely": fact.secure_boot,
        "the project's SSH keys must be blocked (block-project-ssh-keys)": (
            fact.metadata.get("block-project-ssh-keys", "").upper() == "TRUE"
        ),
        "SSH keys in metadata make users with sudo": not {"ssh-keys", "sshKeys"} & set(fact.metadata),
        "metadata holds a private key": not any("PRIVATE KEY" in value for value in fact.metadata.values()),
    }
    return [f"{fact.name}: {line}" for line, right in checks.items() if not right]


def _labels(name: str, labels: Mapping[str, str]) -> list[str]:
    missing = [label for label in LABELS if not labels.get(label)]
    return [f"{name}: labels {', '.join(missing)} are missing"] if missing else []
