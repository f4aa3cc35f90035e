"""Clusters by type and count of machines: their names, the stack that is made for them, and its end."""

import shutil

import pytest
import yaml

from orchestration.clusters.folder import folder_of
from orchestration.clusters.provider import DescribedNodes, UpFlags
from orchestration.errors import Refusal
from orchestration.forecast import probe
from orchestration.paths import RunsFolder
from orchestration.provision import files
from orchestration.provision.cloud import made
from orchestration.provision.cloud.clients import stack_settings
from orchestration.provision.cloud.provider import GoogleCloud
from orchestration.provision.cloud.type_and_count import TypeAndCount, read
from orchestration.provision.providers import clusters_of
from orchestration.sweep.locks import Turn
from orchestration.sweep.prepare import Surroundings
from tests.orchestration.provision.cloud import plays
from tests.orchestration.provision.cloud.conftest import UTC
from tests.orchestration.support import ROOT, make_inventory

NAME, STACK = "c3-highcpu-22x4", "c3highcpu22x4"


@pytest.fixture
def root(desk):
    """The desk's project with the real machines.toml; its one stack says who may enter."""
    shutil.copy(ROOT / "infra" / "machines.toml", desk.root / "infra")
    say(desk.root, "fat", ssh_from="203.0.113.7/32")
    return desk.root


def say(root, stack, profile=False, **values):
    """Sets what a stack says: in its own file, or in the profile that everybody shares."""
    path = root / f"Pulumi.{stack}.yaml" if profile else stack_settings.own_file(stack, root)
    document = yaml.safe_load(path.read_text()) if path.exists() else {"config": {}}
    document["config"] |= {f"convscale:{key}": value for key, value in values.items()}
    path.write_text(yaml.safe_dump(document))


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (NAME, TypeAndCount("c3-highcpu-22", 4)),
        ("e2-mediumx8", TypeAndCount("e2-medium", 8)),
        ("h3-standard-88x250", TypeAndCount("h3-standard-88", 250)),
        ("fat", None),
        ("lab-ax2", None),
        ("z9-huge-4x2", None),
        ("c3-highcpu-22", None),
    ],
)
def test_type_and_count_are_a_name(root, cluster, expected):
    assert read(cluster, root) == expected
    if expected:
        assert stack_settings.NAME.fullmatch(expected.stack)


def test_every_described_type_has_a_stack_of_its_own_name(root):
    names = [TypeAndCount(name, 250).stack for name in read_all(root)]
    assert len(set(names)) == len(names)
    assert all(stack_settings.NAME.fullmatch(name) for name in names)


def read_all(root):
    from infra import machines

    return machines.read(root / "infra" / "machines.toml").machines


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ("c3-highcpu-23x4", r"'c3-highcpu-23' is not described .* near it are c3-highcpu-22"),
        ("c3-highcpu-22x0", r"give from 1 to 250 machines, as in c3-highcpu-22x4"),
        ("c3-highcpu-22x251", "give from 1 to 250 machines"),
    ],
)
def test_what_cannot_be(root, cluster, words):
    with pytest.raises(Refusal, match=words):
        clusters_of(root, {}).provider(cluster)


def test_a_persons_own_machines_keep_their_name(root):
    folder = folder_of(NAME, root).folder
    folder.mkdir(parents=True)
    (folder / "inventory.json").write_text("{}")
    assert read(NAME, root) is None


def test_the_cluster_is_known_before_it_is_up(root):
    known = clusters_of(root, {})
    provider = known.provider(NAME)
    assert provider.kind == "Google Cloud"
    assert provider.described(NAME, root) == DescribedNodes("c3-highcpu-22", 4, None)
    with pytest.raises(Refusal, match=f"cluster {NAME} is not up: start it with 'fab up --cluster {NAME}'"):
        known.find(NAME, UTC)
    with pytest.raises(Refusal, match="is taken"):
        known.check_free(NAME)
    assert STACK not in known.names()


def test_a_stack_is_made_of_what_the_others_agree_on(root):
    say(root, "light", profile=True, nodes=8)
    say(root, "light", ssh_from="203.0.113.7/32", owner="ann", lifetime="1h")
    assert made.write(TypeAndCount("c3-highcpu-22", 4), root)
    assert not made.write(TypeAndCount("c3-highcpu-22", 4), root)
    config = yaml.safe_load(stack_settings.own_file(STACK, root).read_text())["config"]
    assert config.pop("gcp:computeCustomEndpoint")
    assert config == {
        "gcp:project": "lab",
        "convscale:ssh_from": "203.0.113.7/32",
        "convscale:owner": "ann",
        "convscale:machine_type": "c3-highcpu-22",
        "convscale:nodes": "4",
    }
    assert STACK in GoogleCloud().names(root)
    say(root, STACK, nodes="2")
    assert GoogleCloud().described(NAME, root).count == 2


def test_a_stack_without_a_file_that_is_not_called_so_is_none_of_ours(root):
    say(root, "mine", nodes="2")
    assert "mine" not in GoogleCloud().names(root)
    assert not made.is_ours("mine", root)
    assert made.is_ours(STACK, root)
    (root / f"Pulumi.{STACK}.yaml").write_text("config: {}")
    assert not made.is_ours(STACK, root)


def test_stacks_that_do_not_agree(root):
    say(root, "light", profile=True, nodes=8)
    say(root, "light", ssh_from="198.51.100.7/32")
    with pytest.raises(Refusal, match=r"ssh_from is '203.0.113.7/32' in fat, '198.51.100.7/32' in light: .* set them"):
        made.write(TypeAndCount("c3-highcpu-22", 4), root)
    assert not stack_settings.own_file(STACK, root).exists()


def test_nobody_has_said_who_may_enter(desk):
    shutil.copy(ROOT / "infra" / "machines.toml", desk.root / "infra")
    with pytest.raises(Refusal, match="none of your stacks says convscale:ssh_from"):
        desk.cloud().up(NAME, None, keep=False)
    assert desk.engine.calls == []


def test_without_consent_nothing_stays_of_the_stack(desk, root):
    desk.answers = [""]
    with pytest.raises(Refusal, match="nothing is made"):
        GoogleCloud().up(NAME, UpFlags(), desk.operator())
    assert removals(desk) == [f"stack rm --yes {STACK}"]
    assert not stack_settings.own_file(STACK, root).exists()


def test_a_stack_that_holds_something_stays(desk, root):
    desk.engine.play(plays.new_cluster() | {"deployment": plays.deployment(2)})
    desk.answers = [""]
    with pytest.raises(Refusal, match="nothing is made"):
        GoogleCloud().up(NAME, UpFlags(), desk.operator())
    assert f"stack {STACK} stays, for its state has 2 things: 'fab down --cluster {STACK}'" in desk.text
    assert stack_settings.own_file(STACK, root).exists()
    assert removals(desk) == []


def removals(desk):
    return [call for call in desk.engine.calls if call.startswith("stack rm")]


def test_a_probe_is_kept_under_the_stacks_own_name(root, tmp_path, monkeypatch):
    up = make_inventory(1).model_copy(update={"cluster": STACK})
    files.write(folder_of(STACK, root), up)
    monkeypatch.setattr(probe, "_carry_out", lambda *_: {"schema_version": 1, "kind": "probe"})
    around = Surroundings(
        clusters_of(root, {}), RunsFolder(tmp_path / "runs"), lambda: UTC, {"CONVSCALE_LOCK": str(tmp_path / "lock")}
    )
    for name in (NAME, STACK):
        path, document = probe.measure(name, around, Turn())
        assert path == folder_of(STACK, root).folder / "probe.json"
        assert document["cluster"] == STACK
        path.unlink()
    assert not (folder_of(NAME, root).folder).exists()
