"""The broadcast of a release, three ranks in the place of three nodes."""

import pytest

from orchestration.executors.remote.upload import archive
from workload.record.digest import code_digest, file_digest


@pytest.fixture
def nodes(tmp_path):
    """Three nodes' work folders, the head's with the archive; gives (folder, digest, SHA-256)."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.py").write_text("a = 1\n" * 100000)
    (tmp_path / "node0/releases").mkdir(parents=True)  # the others have nothing at all
    name = code_digest(source)
    packed = tmp_path / f"node0/releases/{name}.tar"
    packed.write_bytes(archive(source))
    return tmp_path, name, file_digest(packed)


def links(folder):
    return [
        path.readlink().name if (path := folder / f"node{rank}/workload").is_symlink() else None for rank in range(3)
    ]


def test_every_node_gets_it_and_only_what_it_lacks(mpirun, nodes):
    folder, name, _ = nodes
    assert [item["received"] for item in mpirun(3, "receiving.py", *nodes, -1)] == [True, True, True]
    assert links(folder) == [name] * 3
    assert [item["received"] for item in mpirun(3, "receiving.py", *nodes, -1)] == [False, False, False]
    (folder / f"node2/releases/{name}/a.py").write_text("edited")
    assert [item["received"] for item in mpirun(3, "receiving.py", *nodes, -1)] == [False, False, True]
    assert code_digest(folder / "node2/workload") == name
    left = {path.name for rank in range(3) for path in (folder / f"node{rank}").iterdir()}
    assert left == {"releases", "workload"}


@pytest.mark.parametrize("broken", [1, 2])
def test_all_nodes_switch_or_none(mpirun, nodes, broken):
    told = mpirun(3, "receiving.py", *nodes, broken)
    assert [item["error"] is not None for item in told] == [rank == broken for rank in range(3)]
    assert links(nodes[0]) == [None] * 3


def test_a_damaged_archive_reaches_no_node(mpirun, nodes):
    folder, name, expected = nodes
    packed = folder / f"node0/releases/{name}.tar"
    packed.write_bytes(packed.read_bytes()[:-1000])
    assert all("arrived with digest" in item["error"] for item in mpirun(3, "receiving.py", folder, name, expected, -1))
    assert links(folder) == [None] * 3
