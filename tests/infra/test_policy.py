"""The policy pack as the engine runs it: its own process, asked over gRPC."""

import os
import subprocess
import sys

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from tests.infra import program
from tests.infra.engine.shapes import UNKNOWN

INSTANCE = "gcp:compute/instance:Instance"
FIREWALL = "gcp:compute/firewall:Firewall"


@pytest.fixture(scope="module")
def pack():
    """The pack's stub for stack light, whose own machine type is described in its settings."""
    settings = '{"convscale:machine_type": "c3-highcpu-8", "convscale:machine": "{}"}'
    stack = {
        "PULUMI_PROJECT": "convscale",
        "PULUMI_STACK": "light",
        "PULUMI_DRY_RUN": "true",
        "PULUMI_CONFIG": settings,
    }
    command = [sys.executable, "-u", str(program.ROOT / "infra/policy")]
    with subprocess.Popen(command, env=os.environ | stack, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
        process.kill()


def properties(inputs):
    return json_format.ParseDict(inputs, struct_pb2.Struct())


def analyze(pack, kind, inputs):
    request = analyzer_pb2.AnalyzeRequest(type=kind, properties=properties(inputs), urn="urn:x", name="x")
    return [each.message for each in pack.Analyze(request).diagnostics if _mandatory(each)]


def _mandatory(diagnostic):
    return diagnostic.enforcementLevel == analyzer_pb2.MANDATORY


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("machine_type", ["e2-medium", "g2-standard-4"])
def test_the_programs_own_clusters_are_allowed(pack, tree, preview, machine_type):
    found = program.run(tree, "light", {"convscale:machine_type": machine_type}, preview=preview)
    assert [line for each in found.resources for line in analyze(pack, each.kind, each.inputs)] == []
    resources = [
        analyzer_pb2.AnalyzerResource(type=each.kind, properties=properties(each.inputs), urn=each.name, name=each.name)
        for each in found.resources
    ]
    assert not pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources)).diagnostics


@pytest.fixture
def worker(tree):
    return program.run(tree, "light").of("Instance")[1].inputs


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"networkInterfaces": [{"accessConfigs": [{"networkTier": "PREMIUM"}]}]}, "external address"),
        ({"networkInterfaces": [{"ipv6AccessConfigs": [{"networkTier": "PREMIUM"}]}]}, "external address"),
        ({"scheduling": {"automaticRestart": False, "instanceTerminationAction": "DELETE"}}, "lifetime must be"),
        ({"scheduling": {}}, "restart by itself"),
        ({"machineType": "m3-ultramem-128"}, "is not described"),
        ({"bootDisk": {"initializeParams": {"image": "debian-cloud/debian-12"}}}, "is no exact one"),
        ({"bootDisk": {}}, "image '' is no exact one"),
        ({"name": "node2"}, "every name must begin with convscale-light-"),
        ({"labels": {}}, "labels expiry, owner, study are missing"),
        ({"serviceAccount": {"scopes": ["cloud-platform"]}}, "no service account"),
        ({"metadata": {"ssh-keys": "x"}}, "make users with sudo"),
        ({"metadataStartupScript": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "holds a private key"),
    ],
)
def test_a_worker_that_breaks_a_rule_is_refused(pack, worker, change, says):
    assert [line for line in analyze(pack, INSTANCE, worker | change) if says in line]


def test_an_image_as_google_calls_it_is_exact(pack, worker):
    params = worker["bootDisk"]["initializeParams"]
    image = f"https://www.googleapis.com/compute/v1/{params['image']}"
    assert analyze(pack, INSTANCE, worker | {"bootDisk": {"initializeParams": {**params, "image": image}}}) == []


def test_a_machine_type_that_the_stack_describes_is_allowed(pack, worker):
    assert analyze(pack, INSTANCE, worker | {"machineType": "c3-highcpu-8"}) == []


@pytest.mark.parametrize(
    ("kind", "inputs", "says"),
    [
        (FIREWALL, {"sourceRanges": ["0.0.0.0/0"], "allows": [{"protocol": "tcp", "ports": ["22"]}]}, "a /0 together"),
        (FIREWALL, {"allows": [{"protocol": "tcp", "ports": ["22"]}]}, "says no address ranges"),
        (FIREWALL, {"sourceRanges": ["10.0.0.0/24"], "direction": "EGRESS"}, "lets in, and nothing else"),
        ("gcp:compute/address:Address", {"addressType": "EXTERNAL"}, "an external address may only be"),
        (
            "gcp:compute/resourcePolicy:ResourcePolicy",
            {"instanceSchedulePolicy": {"timeZone": "UTC"}},
            "places nodes, and",
        ),
        ("gcp:compute/projectMetadata:ProjectMetadata", {"metadata": {"ssh-keys": "x"}}, "no rule covers"),
        ("gcp:projects/iAMMember:IAMMember", {"role": "roles/owner"}, "no rule covers"),
    ],
)
def test_other_things_that_break_a_rule_are_refused(pack, kind, inputs, says):
    assert [line for line in analyze(pack, kind, {"name": "convscale-light-x"} | inputs) if says in line]


def test_rules_that_are_narrow_one_by_one_are_refused_together(pack):
    halves = [
        {
            "name": f"convscale-light-{n}",
            "sourceRanges": [f"198.51.{n}.0/24"],
            "allows": [{"protocol": "tcp", "ports": ["22"]}],
        }
        for n in (1, 2)
    ]
    assert [line for each in halves for line in analyze(pack, FIREWALL, each)] == []
    resources = [
        analyzer_pb2.AnalyzerResource(type=FIREWALL, properties=properties(each), urn=each["name"], name=each["name"])
        for each in halves
    ]
    found = pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources)).diagnostics
    assert ["a /23 together" in each.message and _mandatory(each) for each in found] == [True]


def test_what_a_preview_cannot_know_is_judged_by_the_up(pack, worker):
    """An unknown that a rule needs is no pass: the engine asks again, with the value, before it makes the resource."""
    unknown = worker | {"machineType": UNKNOWN}
    request = analyzer_pb2.AnalyzeRequest(type=INSTANCE, properties=properties(unknown), urn="urn:x", name="x")
    assert "can't be known during preview" in pack.Analyze(request).diagnostics[0].message
