import json

import pytest

from orchestration.clusters.folder import ClusterFolder, folder_of, read_cluster
from orchestration.clusters.inventory import parse
from orchestration.errors import Refusal
from orchestration.provision import files
from tests.orchestration.clusters.test_inventory import document
from tests.orchestration.support import make_inventory


@pytest.fixture
def folder(tmp_path):
    """The folder of a cluster `mine`."""
    made = folder_of("mine", tmp_path)
    files.write(made, parse(document(cluster="mine"), "mine"))
    return made


def test_the_files_of_an_inventory_lie_beside_it(folder):
    found = read_cluster(folder.inventory)
    assert (found.known_hosts, found.key_file) == (str(folder.known_hosts), str(folder.key))


def test_an_absolute_key_stays_where_it_is(tmp_path):
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(document(key_file="/keys/id", known_hosts=None)))
    found = read_cluster(path)
    assert (found.key_file, found.known_hosts) == ("/keys/id", None)


@pytest.mark.parametrize("name", ["..", "-x", "a b", "", "a/b"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path, name):
    with pytest.raises(Refusal, match="cannot be the name of a cluster"):
        folder_of(name, tmp_path)


def test_hostfile_and_inventory_are_written_together(folder):
    nodes = json.loads(folder.inventory.read_text())["nodes"]
    assert folder.hostfile.read_text().splitlines() == [f"{node['address']} slots={node['slots']}" for node in nodes]


def test_what_a_person_put_beside_them_stays(folder):
    (folder.folder / "notes.txt").write_text("mine")
    files.remove(folder)
    assert [path.name for path in folder.folder.iterdir()] == ["notes.txt"]
    files.remove(ClusterFolder(folder.folder / "never-there"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not complete JSON"),
        ('{"schema_version": 9}', "schema_version 9"),
        (json.dumps(document(executor="local")), "2 nodes, executor 'local'"),
        (make_inventory(2).model_dump_json().replace(make_inventory(2).nodes[0].address, "elsewhere"), "elsewhere"),
    ],
)
def test_a_file_that_does_not_describe_this_machine(tmp_path, content, words):
    path = tmp_path / "inventory.json"
    path.write_text(content)
    with pytest.raises(Refusal, match=words):
        read_cluster(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(Refusal, match="cannot be read"):
        read_cluster(tmp_path / "inventory.json")
