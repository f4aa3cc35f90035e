import json

import pytest

from orchestration.clusters import registry
from orchestration.clusters.inventory import parse
from orchestration.clusters.registry import ClusterFolder
from orchestration.errors import Refusal
from orchestration.provision import files
from tests.orchestration.clusters.test_inventory import document


@pytest.fixture
def root(tmp_path):
    """A checkout with a cluster `mine`."""
    files.write(registry.folder("mine", tmp_path), parse(document(cluster="mine"), "mine"))
    return tmp_path


def test_whatever_has_an_inventory_is_a_name(root):
    (root / "infra/clusters/unfinished").mkdir()
    assert registry.names(root) == ["local", "compose-light", "compose-fat", "mine"]


def test_a_name_and_its_path_are_the_same_cluster(root):
    by_name = registry.find("mine", root, "")
    assert by_name == registry.find(str(root / "infra/clusters/mine/inventory.json"), root, "")
    assert by_name.known_hosts == str(root / "infra/clusters/mine/known_hosts")
    assert by_name.key_file == str(root / "infra/clusters/mine/id_ed25519")


def test_an_absolute_key_stays_where_it_is(tmp_path):
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(document(key_file="/keys/id", known_hosts=None)))
    found = registry.find(str(path), tmp_path, "")
    assert (found.key_file, found.known_hosts) == ("/keys/id", None)


def test_a_cluster_that_is_not_up_says_how_to_start_it(root):
    with pytest.raises(Refusal, match="compose-fat is not up: start it with 'fab up --cluster compose-fat'"):
        registry.find("compose-fat", root, "")


@pytest.mark.parametrize("name", ["local", "..", "-x", "a b", ""])
def test_a_name_that_could_leave_the_folder_is_none(root, name):
    with pytest.raises(Refusal, match="give another --cluster"):
        registry.folder(name, root)


def test_hostfile_and_inventory_are_written_together(root):
    folder = registry.folder("mine", root)
    nodes = json.loads(folder.inventory.read_text())["nodes"]
    assert folder.hostfile.read_text().splitlines() == [f"{node['address']} slots={node['slots']}" for node in nodes]


def test_what_a_person_put_beside_them_stays(root):
    folder = registry.folder("mine", root)
    (folder.folder / "notes.txt").write_text("mine")
    files.remove(folder)
    assert [path.name for path in folder.folder.iterdir()] == ["notes.txt"]
    files.remove(ClusterFolder(root / "never-there"))
