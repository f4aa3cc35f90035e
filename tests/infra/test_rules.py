import dataclasses
import ipaddress

import pytest
import rules
from hypothesis import given
from hypothesis import strategies as st
from rules import NodeFact, Opening, Thing

LABELS = {"owner": "ann", "study": "paper", "expiry": "2026-11-23t06-00-00z"}
HEAD = NodeFact(
    name="convscale-fat-node1",
    machine_type="e2-medium",
    image="projects/debian-cloud/global/images/debian-12-bookworm-v20261006",
    external=True,
    run_s=14400,
    end="STOP",
    restarts=False,
    labels=LABELS,
    metadata={"block-project-ssh-keys": "TRUE"},
    service_account=False,
    secure_boot=True,
)
WORKER = dataclasses.replace(HEAD, name="convscale-fat-node2", external=False, end="DELETE")
SSH = Opening("convscale-fat-ssh", ("203.0.113.7/32",), (("tcp", ("22",)),))
INSIDE = Opening("convscale-fat-inside", ("10.0.0.0/24",), (("all", ()),))
SAFE = [HEAD, WORKER, SSH, INSIDE, Thing("convscale-fat-network", None), Thing("convscale-fat-node1", LABELS)]


def broken(*facts, stack="fat"):
    return rules.broken(facts, stack, {"e2-medium"})


def test_a_safe_cluster_breaks_no_rule():
    assert broken(*SAFE) == []


@pytest.mark.parametrize(
    ("fact", "change", "says"),
    [
        (WORKER, {"external": True}, "only rank 0's node may have an external address"),
        (WORKER, {"run_s": None}, "its lifetime must be"),
        (HEAD, {"run_s": None}, "its lifetime must be"),
        (HEAD, {"run_s": 0}, "its lifetime must be"),
        (HEAD, {"run_s": 8 * 86400}, "its lifetime must be"),
        (HEAD, {"end": "DELETE"}, "at its lifetime's end"),
        (WORKER, {"end": "STOP"}, "at its lifetime's end"),
        (WORKER, {"end": None}, "at its lifetime's end"),
        (HEAD, {"restarts": True}, "must not restart by itself"),
        (HEAD, {"machine_type": "m3-ultramem-128"}, "machine type 'm3-ultramem-128' is not described"),
        (HEAD, {"image": ""}, "image '' is no exact one"),
        (HEAD, {"image": "debian-cloud/debian-12"}, "image 'debian-cloud/debian-12' is no exact one"),
        (HEAD, {"image": "projects/debian-cloud/global/images/family/debian-12"}, "debian-12' is no exact one"),
        (HEAD, {"service_account": True}, "must have no service account"),
        (HEAD, {"secure_boot": False}, "must boot securely"),
        (HEAD, {"metadata": {}}, "the project's SSH keys must be blocked"),
        (HEAD, {"metadata": HEAD.metadata | {"ssh-keys": "ann:ssh-ed25519 A"}}, "make users with sudo"),
        (HEAD, {"metadata": HEAD.metadata | {"x": "-----BEGIN OPENSSH PRIVATE KEY-----"}}, "holds a private key"),
        (HEAD, {"labels": {"owner": "ann", "study": ""}}, "labels expiry, study are missing"),
        (SAFE[-1], {"labels": {}}, "labels expiry, owner, study are missing"),
        (HEAD, {"name": "convscale-light-node1", "end": "DELETE", "external": False}, "every name must begin with"),
        (SAFE[-2], {"name": "network"}, "network: every name must begin with convscale-fat-"),
        (SSH, {"sources": ("0.0.0.0/0",)}, "IPv4 ranges that are a /0 together"),
        (SSH, {"sources": ("::/0",)}, "IPv6 ranges that are a /0 together"),
        (SSH, {"sources": ()}, "says no address ranges"),
        (SSH, {"others": ("tag",)}, "says no address ranges"),
        (SSH, {"opens": (("tcp", ()),)}, "opens more than SSH"),
        (SSH, {"opens": (("tcp", ("22", "80")),)}, "opens more than SSH"),
        (SSH, {"opens": (("udp", ("22",)),)}, "opens more than SSH"),
        (SSH, {"opens": ()}, "opens more than SSH"),
        (INSIDE, {"sources": ("10.0.0.0/24", "203.0.113.7/32")}, "mixes private ranges with others"),
    ],
)
def test_each_rule_is_broken_by_what_breaks_it(fact, change, says):
    found = broken(dataclasses.replace(fact, **change))
    assert [line for line in found if says in line], found


@pytest.mark.parametrize("stack", ["", "Fat", "fat-2", "2fat", "f" * 21, "fat\n"])
def test_a_stack_whose_names_could_be_anothers_is_refused(stack):
    assert broken(dataclasses.replace(SAFE[-2], name=f"convscale-{stack}-network"), stack=stack)


@pytest.mark.parametrize(
    "ranges",
    [
        ("0.0.0.0/1", "128.0.0.0/1"),
        ("203.0.113.0/24", "198.51.100.7/32"),
        ("203.0.112.0/24", "203.0.113.0/24"),
        ("2600:1900::/56", "2600:1900:0:100::/64"),
    ],
)
def test_ranges_are_judged_by_their_sum(ranges):
    assert rules.range_faults(ranges)
    # within one rule, and over several that are narrow one by one
    assert broken(dataclasses.replace(SSH, sources=ranges))
    apart = [dataclasses.replace(SSH, name=f"convscale-fat-{n}", sources=(text,)) for n, text in enumerate(ranges)]
    assert broken(*apart)


@pytest.mark.parametrize(
    "ranges",
    [
        ("203.0.113.0/24",),
        ("203.0.113.0/25", "203.0.113.0/24"),
        ("203.0.113.0/26", "198.51.100.0/26"),
        ("2600:1900::/56", "203.0.113.0/24"),
        ("35.235.240.0/20",),
    ],
)
def test_narrow_ranges_and_googles_proxy_may_enter(ranges):
    assert rules.range_faults(ranges) == []
    assert broken(dataclasses.replace(SSH, sources=ranges)) == []


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1/32", "169.254.169.254/32", "100.64.0.0/24", "224.0.0.0/24", "0.0.0.0/32"),
        *("::1/128", "fe80::/64", "2002:cb00:7100::/56", "2001:0:cb00::/56", "::ffff:203.0.113.7/128", "fc00::/56"),
    ],
)
def test_ranges_that_nobody_has_on_the_internet_are_refused(text):
    assert "is no range of the internet" in rules.range_faults([text])[0]


@pytest.mark.parametrize("text", ["everyone", "203.0.113.7/33", "203.0.113.7/24", ""])
def test_what_is_no_range_is_refused(text):
    assert "is no address range" in rules.range_faults([text])[0]


NETWORKS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(24, 32)), min_size=1, max_size=6)


@given(NETWORKS)
def test_no_more_addresses_enter_than_a_24_has(pairs):
    ranges = [str(ipaddress.ip_network((address, width), strict=False)) for address, width in pairs]
    if not rules.range_faults(ranges):
        outside = rules.outside(ranges)
        assert len({each for text in outside for each in ipaddress.ip_network(text)}) <= 256
