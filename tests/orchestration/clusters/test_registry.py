"""Names to clusters, with two providers of the test's own: whose a name is, and what is refused."""

import pytest

from orchestration.clusters.folder import folder_of
from orchestration.clusters.inventory import parse
from orchestration.clusters.provider import Provider
from orchestration.clusters.registry import Clusters
from orchestration.errors import Refusal
from orchestration.provision import files
from tests.orchestration.clusters.test_inventory import document


class Listed(Provider):
    """Clusters of fixed names."""

    def __init__(self, kind, *names):
        self.kind = kind
        self._names = names

    def names(self, root):
        return self._names

    def up(self, cluster, flags, operator):
        raise NotImplementedError

    def check_down(self, cluster, operator):
        raise NotImplementedError

    def down(self, cluster, discard, operator):
        raise NotImplementedError


ONE, TWO = Listed("one", "a", "both"), Listed("two", "both", "b")


@pytest.fixture
def clusters(tmp_path):
    return Clusters(tmp_path, (ONE, TWO))


def bring_up(clusters, name, **changes):
    files.write(folder_of(name, clusters.root), parse(document(cluster=name, **changes), name))


def test_the_first_provider_that_owns_a_name_has_it(clusters):
    assert clusters.names() == ["a", "both", "b"]
    assert [clusters.provider(name) for name in clusters.names()] == [ONE, ONE, TWO]


def test_a_name_and_its_path_are_the_same_cluster(clusters):
    bring_up(clusters, "b")
    found = clusters.find("b", "")
    assert found == clusters.find(str(folder_of("b", clusters.root).inventory), "")
    assert found.known_hosts == str(clusters.root / "infra/clusters/b/known_hosts")


def test_a_cluster_that_is_not_up_says_how_to_start_it(clusters):
    with pytest.raises(Refusal, match="both is not up: start it with 'fab up --cluster both'"):
        clusters.find("both", "")


def test_an_unknown_cluster_lists_the_known_ones(clusters):
    with pytest.raises(
        Refusal, match=r"'bot' is unknown \(did you mean both\?\): it is one of a, both, b, or the path"
    ):
        clusters.find("bot", "")


def test_a_file_is_neither_brought_up_nor_taken_down(clusters):
    with pytest.raises(Refusal, match="is a file, whose cluster fab neither brings up nor takes down"):
        clusters.provider("/x/inventory.json")


class Renamed(Listed):
    """Clusters that a person may call by a longer name than their files do."""

    def owns(self, cluster, root):
        return self.own_name(cluster, root) in self.names(root)

    def own_name(self, cluster, root):
        return cluster.removeprefix("machines-")


def test_what_is_kept_of_a_cluster_lies_under_its_own_name(tmp_path):
    clusters = Clusters(tmp_path, (Renamed("three", "c"),))
    assert clusters.kept_as("machines-c") == clusters.kept_as("c") == "c"
    assert clusters.name_of("machines-c", "") == "c"
    path = str(tmp_path / "inventory.json")
    assert clusters.kept_as(path) == path


def test_sweeps_call_a_cluster_by_its_name_whether_it_is_up_or_not(clusters):
    bring_up(clusters, "b")
    assert clusters.name_of("both", "") == "both"
    assert clusters.name_of(str(folder_of("b", clusters.root).inventory), "") == "b"


@pytest.mark.parametrize(
    ("name", "words"), [("both", r"the name 'both' is taken \(one\)"), ("../x", "cannot be the name of a cluster")]
)
def test_a_new_cluster_takes_no_name_of_another(clusters, name, words):
    with pytest.raises(Refusal, match=words):
        clusters.check_free(name, TWO)
    clusters.check_free("b", TWO)
    clusters.check_free("new", TWO)


@pytest.mark.parametrize(
    ("utc", "words"),
    [("2026-01-01T00:00:00Z", ", until 2026-01-01T01:00:00Z"), ("2026-01-02T00:00:00Z", ", its lifetime ended at")],
)
def test_how_a_cluster_stands_is_one_line(clusters, utc, words):
    assert "is not up" in ONE.status("a", clusters.root, utc)
    bring_up(clusters, "a", expires_at="2026-01-01T01:00:00Z")
    line = ONE.status("a", clusters.root, utc)
    assert line.startswith("2 nodes, 2 slots, 8.0 GiB")
    assert words in line
