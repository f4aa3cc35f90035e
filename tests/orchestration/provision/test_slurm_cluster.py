"""Descriptions of clusters with Slurm: what a file may say, and what a job of such a cluster is."""

import pytest

from orchestration.errors import Refusal
from orchestration.provision import slurm_cluster
from orchestration.provision.slurm import SlurmClusters, description
from orchestration.provision.slurm_cluster import SlurmCluster, check_shared, read, write


def described(root, text):
    path = slurm_cluster.path_of("birch", root)
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_what_is_written_is_read(tmp_path):
    given = SlurmCluster(
        partitions=["main", "long"],
        account="phys",
        time="1-12:00",
        modules=["gcc/12"],
        sbatch_options=["--qos=high"],
        shared_folders=["/shared"],
        launcher={"openmpi4": "mpirun"},
    )
    path = write("birch", tmp_path, given)
    assert path == tmp_path / "infra/clusters/birch/cluster.toml"
    assert read("birch", tmp_path) == given
    assert SlurmClusters({}).names(tmp_path) == ("slurm", "birch")


def test_a_file_need_say_no_more_than_its_version(tmp_path):
    described(tmp_path, "schema_version = 1\n")
    assert read("birch", tmp_path) == description("slurm", tmp_path) == SlurmCluster()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partitions = [", "is no TOML"),
        ("partitions = ['main']", "schema_version None, but this convscale reads 1"),
        ("schema_version = 1\npartition = 'main'", "key partition is unknown (did you mean partitions?)"),
        ("schema_version = 1\npartitions = 'main'", "partitions = 'main' is wrong"),
        ("schema_version = 1\npartitions = ['a b']", "partitions[0] = 'a b' is wrong: give one word, without commas"),
        ("schema_version = 1\ntime = 'soon'", "time = 'soon' is wrong: give for example 90m, 4h"),
        (
            "schema_version = 1\nlauncher = 'srum'",
            "launcher = 'srum' is wrong: give srun or mpirun, or one of them by MPI (openmpi5, openmpi4, mpich)",
        ),
        ("schema_version = 1\nlauncher = {mpich = 'hydra'}", "launcher = {'mpich': 'hydra'} is wrong: give srun"),
        ("schema_version = 1\nlauncher = {lam = 'srun'}", "launcher = {'lam': 'srun'} is wrong: give srun or mpirun"),
        ("schema_version = 1\naccount = ''", "account = '' is wrong: give one word"),
        ("schema_version = 1\nshared_folders = ['home']", "shared_folders[0] = 'home' is wrong: give an absolute path"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, text, said):
    described(tmp_path, text)
    with pytest.raises(Refusal) as refusal:
        read("birch", tmp_path)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("", {}),
        ("launcher = 'srun'", {"openmpi5": "srun", "openmpi4": "srun", "mpich": "srun"}),
        ("launcher = {mpich = 'mpirun'}", {"mpich": "mpirun"}),
    ],
)
def test_a_launcher_is_chosen_for_all_mpis_or_by_mpi(tmp_path, text, chosen):
    described(tmp_path, f"schema_version = 1\n{text}\n")
    assert slurm_cluster.launchers_of(read("birch", tmp_path)) == chosen


def test_an_unknown_cluster_is_refused_with_the_known_ones(tmp_path):
    described(tmp_path, "schema_version = 1\n")
    with pytest.raises(
        Refusal, match=r"Slurm cluster 'brich' is unknown \(did you mean birch\?\): .* slurm, birch; 'fab"
    ):
        description("brich", tmp_path)


def test_outside_of_a_job_a_described_cluster_says_how_to_get_one(tmp_path):
    described(tmp_path, "schema_version = 1\n")
    assert "there is no Slurm job here: 'fab submit --cluster birch'" in SlurmClusters({}).status("birch", tmp_path, "")


def test_checkout_and_sweep_lie_where_all_nodes_see_them(tmp_path):
    shared, apart = tmp_path / "shared", tmp_path / "apart"
    shared.mkdir()
    (tmp_path / "link").symlink_to(shared)
    given = SlurmCluster(shared_folders=[str(tmp_path / "link")])
    check_shared(given, "birch", tmp_path, [shared, shared / "runs" / "a"])
    with pytest.raises(
        Refusal, match=r"apart lies in no folder that the nodes of birch share \(.*link\): put it there"
    ):
        check_shared(given, "birch", tmp_path, [shared, apart])
    check_shared(SlurmCluster(), "slurm", tmp_path, [apart])
