"""What holds for every provider: one contract test over all of them."""

import io
import re
import shutil

import pytest
from rich.console import Console

from orchestration.clusters import inventory
from orchestration.clusters.provider import UpFlags
from orchestration.clusters.registry import Clusters
from orchestration.errors import Refusal
from orchestration.operator import Operator, Person, WallClock
from orchestration.paths import RunsFolder
from orchestration.provision.providers import OWN_MACHINES, providers
from tests.orchestration.clusters.test_registry import bring_up
from tests.orchestration.support import ROOT

KINDS = providers({})
UTC = "2026-01-01T00:00:00+00:00"


@pytest.fixture
def clusters(tmp_path):
    """A checkout with a stack and a person's own machines, called `lab`."""
    shutil.copy(ROOT / "Pulumi.fat.yaml", tmp_path)
    found = Clusters(tmp_path, KINDS)
    bring_up(found, "lab")
    return found


@pytest.fixture
def operator(clusters):
    """Nobody to ask, no program to start."""
    person = Person(Console(file=io.StringIO()), yes=False, ask=None)
    clock = WallClock(lambda: 0.0, lambda: UTC, lambda _: None)
    return Operator(clusters.root, RunsFolder(clusters.root / "runs"), {"PATH": ""}, person, clock)


provider_of_each_kind = pytest.mark.parametrize("provider", KINDS, ids=lambda provider: provider.kind)


def test_every_name_is_known(clusters):
    assert clusters.names() == ["local", "slurm", "compose-light", "compose-fat", "fat", "lab"]


@provider_of_each_kind
def test_names_are_names_and_its_own(provider, clusters):
    names = provider.names(clusters.root)
    assert names
    for name in names:
        assert re.fullmatch(inventory.NAME, name)
        assert provider.owns(name, clusters.root)
        assert clusters.provider(name) is provider
    assert not provider.owns("no-such", clusters.root)


@provider_of_each_kind
def test_a_status_is_one_line(provider, clusters):
    for name in provider.names(clusters.root):
        line = provider.status(name, clusters.root, UTC)
        assert line
        assert "\n" not in line


@provider_of_each_kind
def test_what_cannot_be_done_is_refused_in_one_line(provider, clusters, operator):
    """Without engine, program and person nothing can be brought up or taken down."""
    name = provider.names(clusters.root)[0]
    for act in (
        lambda: provider.up(name, UpFlags(), operator),
        lambda: provider.check_down(name, operator),
        lambda: provider.down(name, False, operator),
        lambda: provider.inventory(name, operator),
    ):
        with pytest.raises(Refusal) as refusal:
            act()
        assert "\n" not in str(refusal.value)


@provider_of_each_kind
def test_a_head_that_was_not_stopped_needs_no_waking(provider, clusters, operator):
    for name in set(provider.names(clusters.root)) & {"local", "compose-light", "lab"}:
        with provider.awake(name, operator):
            pass


def test_what_failed_clusters_left_is_looked_for_where_there_can_be_something(clusters, operator):
    assert [provider.kind for provider in clusters.with_orphans("")] == ["Google Cloud"]
    assert [provider.kind for provider in clusters.with_orphans("gone")] == ["Google Cloud"]
    (containers,) = clusters.with_orphans("compose-fat")
    with pytest.raises(Refusal, match="containers leave nothing behind"):
        containers.orphans("compose-fat", "", False, operator)


@pytest.mark.parametrize(("name", "kind"), [("compose-fat", "containers"), ("fat", "Google Cloud"), ("local", "this")])
def test_own_machines_take_no_name_of_another_kind(clusters, name, kind):
    with pytest.raises(Refusal, match=rf"the name '{name}' is taken \({kind}"):
        clusters.check_free(name, OWN_MACHINES)


def test_containers_cost_nothing_so_that_a_budget_is_refused(clusters, operator):
    with pytest.raises(Refusal, match="--budget, --keep and --replace are for clusters on Google Cloud"):
        clusters.provider("compose-fat").up("compose-fat", UpFlags(budget=5.0), operator)


def test_a_stack_goes_by_its_files_name_too(clusters):
    bring_up(clusters, "fat")
    assert clusters.find("Pulumi.fat.yaml", UTC) == clusters.find("fat", UTC)
    assert clusters.name_of("Pulumi.fat.yaml", UTC) == "fat"


def test_what_a_stack_will_be_is_known_before_it_is_up(clusters):
    assert clusters.provider("fat").described("fat", clusters.root).machine_type == "n2-highcpu-16"
