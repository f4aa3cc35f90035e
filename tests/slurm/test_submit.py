"""`fab submit` from a login node: one job for a whole sweep, and what becomes of it in the queue."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.cluster.host import wait_for
from tests.orchestration.support import FAB
from tests.slurm.conftest import Login
from workload.record.kinds import read_record


def submit(login: Login, status: int = 0, alone: tuple[str, ...] = (), **flags: object) -> str:
    """What `fab submit` of the login's study prints; `alone`: flags without a value."""
    given = {"nodes": 2, "time": "20m", "study": login.folder / "small.toml", "out": login.paths.folder} | flags
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    done = login.fab_in([], "submit", *words, *alone)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def numbers(said: str) -> list[int]:
    return [int(line.split()[1].rstrip(":")) for line in said.splitlines() if line.startswith("job ")]


def number(said: str) -> int:
    return numbers(said)[0]


@pytest.fixture
def described(login: Login) -> Iterator[str]:
    """The name of a cluster as `fab inventory --slurm` describes it, with what nodes and the login node share."""
    name = f"tests-{login.paths.mark}"
    shared = f"{login.root},{login.hosts.shared}"
    asked = ["--partition=main", "--time=20m", f"--shared-folder={shared}"]
    done = login.fab_in([], "inventory", "--slurm", f"--name={name}", *asked)
    assert done.returncode == 0, done.stderr
    assert "partition main: 4 nodes of 2 CPUs, for at most 60 min" in done.stdout
    yield name
    shutil.rmtree(login.root / "infra" / "clusters" / name)


def test_a_sweep_on_a_described_cluster_is_carried_out_and_its_state_is_told(
    whole_login: Login, described: str
) -> None:
    login = whole_login
    login.study([1, 4])
    outside = submit(login, status=2, cluster=described, time="", out="/etc/sweep")
    assert f"/etc/sweep lies in no folder that the nodes of {described} share" in outside
    said = submit(login, cluster=described, time="")
    assert "at most 1.33 core-hours: 2 nodes of 2 CPUs for 20 min; 25% of it idles" in said
    job = number(said)
    status = login.fab_in([], "status", "--sweep", str(login.paths.folder))
    assert f"job {job}: " in status.stdout
    assert login.waits(job) == "COMPLETED"
    assert {ranks: record["outcome"] for ranks, record in login.records().items()} == {1: "ok", 4: "ok"}
    assert [set(event["multiply_adds_per_s"]) for event in login.canaries()] == [{"node1", "node2"}] * 2
    assert "report: " in (login.paths.folder / "submitted" / f"{job}.log").read_text()
    assert (login.paths.folder / "submitted" / "job.sh").read_text().startswith("#!/bin/bash\n#SBATCH --job-name=")
    assert "2 runs: 2 ok" in (login.paths.folder / "submitted" / f"{job}.log").read_text()
    status = login.fab_in([], "status", "--sweep", str(login.paths.folder))
    assert status.stdout.splitlines()[0].endswith(f": 2 runs on {described}")
    assert status.stdout.splitlines()[1:] == ["  2 ok", "  0 waiting"]


def test_the_launcher_that_a_cluster_chooses_starts_the_ranks(login: Login, described: str) -> None:
    login.study([4])
    path = login.root / "infra" / "clusters" / described / "cluster.toml"
    assert "launcher" not in path.read_text()
    path.write_text(path.read_text() + 'launcher = { openmpi5 = "mpirun" }\n')
    assert login.waits(number(submit(login, cluster=described))) == "COMPLETED"
    assert login.records()[4]["outcome"] == "ok"
    by = [event["by"] for event in login.ledger() if event["event"] == "started"]
    assert by == ["mpirun, as cluster.toml chooses"]
    inventory = json.loads(login.paths.inventory.read_text())
    assert inventory["slurm"]["launchers"] == {"openmpi5": "mpirun"}


def test_a_dry_run_shows_the_script_and_submits_nothing(login: Login) -> None:
    login.study([1, 4])
    said = submit(login, alone=("--dry-run",), account="phys", sbatch_option="--comment=mine", module="gcc")
    for line in ("#SBATCH --nodes=2", "#SBATCH --account=phys", "#SBATCH --comment=mine", "module load gcc"):
        assert line in said.splitlines()
    one = "one job: at most 1.33 core-hours: 2 nodes of 2 CPUs for 20 min; 25% of it idles"
    each = "--job-per nodes: at most 2 core-hours: a job of each of 2, 1 nodes of 2 CPUs for 20 min; 0% of it idles"
    assert [line.startswith(words) for line, words in zip(said.splitlines()[-2:], (one, each), strict=True)] == [
        True,
        True,
    ], said
    both = submit(login, alone=("--dry-run",), job_per="nodes").splitlines()
    assert [line for line in both if line.startswith("#SBATCH --nodes=")] == ["#SBATCH --nodes=2", "#SBATCH --nodes=1"]
    assert both[-2:] == said.splitlines()[-2:]
    assert not login.paths.folder.exists()
    assert not login.hosts.run("squeue", "--noheader")


def test_the_same_command_goes_on_where_a_job_ended(login: Login) -> None:
    login.study([1, 4], repeats=20)
    first = number(submit(login))
    wait_for(login.records)
    login.hosts.run("scancel", str(first))
    assert login.waits(first) == "CANCELLED"
    before = login.records()
    assert len(before) == 1
    assert "--nodes 3: " in submit(login, status=2, nodes=3)
    second = number(submit(login))
    assert login.waits(second) == "COMPLETED"
    assert "is finished: give another --out" in submit(login, status=2)
    after = login.records()
    assert {ranks: record["outcome"] for ranks, record in after.items()} == {1: "ok", 4: "ok"}
    assert login.set_aside() == before
    assert {record["slurm"]["job"] for record in after.values()} == {second}


def test_a_requeued_job_goes_on_by_itself(login: Login) -> None:
    login.study([1, 4], repeats=20)
    job = number(submit(login))
    wait_for(login.records)
    login.hosts.run("scontrol", "requeue", str(job))
    wait_for(lambda: "PENDING" in login.hosts.run("squeue", "--noheader", f"--jobs={job}", "--format=%T"))
    login.hosts.run("scontrol", "update", f"JobId={job}", "StartTime=now")
    assert login.waits(job) == "COMPLETED"
    assert {ranks: record["outcome"] for ranks, record in login.records().items()} == {1: "ok", 4: "ok"}
    assert login.events().count("interrupted") == 1
    assert {record["slurm"]["restarts"] for record in login.records().values()} == {1}
    assert len(login.set_aside()) >= 1
    audit = login.fab_in([], "audit", "--sweep", str(login.paths.folder))
    assert "of which 0 cannot be" in audit.stdout, audit.stdout


def test_a_job_that_a_more_urgent_one_takes_the_nodes_from_goes_on_by_itself(login: Login) -> None:
    """Preempted, and put into the queue again by Slurm."""
    login.study([1, 4], repeats=20)
    job = number(submit(login))
    wait_for(login.records)
    (login.folder / "urgent").write_text("#!/bin/sh\nsleep 2\n")
    asked = ["--partition=urgent", "--nodes=4", "--exclusive", "--mem=0", "--output=/dev/null"]
    urgent = int(login.hosts.run("sbatch", "--parsable", *asked, str(login.folder / "urgent")))
    assert login.waits(urgent) == "COMPLETED"
    wait_for(lambda: "PENDING" in login.hosts.run("squeue", "--noheader", f"--jobs={job}", "--format=%T"), 60)
    status = login.fab_in([], "status", "--sweep", str(login.paths.folder))
    assert f"job {job}: PENDING (BeginTime)" in status.stdout
    login.hosts.run("scontrol", "update", f"JobId={job}", "StartTime=now")  # Slurm waits for two minutes
    assert login.waits(job) == "COMPLETED"
    records = login.records()
    assert {ranks: record["outcome"] for ranks, record in records.items()} == {1: "ok", 4: "ok"}
    assert {(record["slurm"]["job"], record["slurm"]["restarts"]) for record in records.values()} == {(job, 1)}


def test_quick_over_all_nodes(login: Login) -> None:
    job = number(submit(login, nodes=4, study="quick", series="strong", ranks="8", launches=1, repeats=1))
    assert login.waits(job) == "COMPLETED", (login.paths.folder / "submitted" / f"{job}.log").read_text()
    found = [read_record(path) for path in login.paths.records.glob("*.json")]
    assert {record["outcome"] for record in found} == {"ok"}
    used = {record["run"]["ranks"]: len({item["node"] for item in record["machines"]}) for record in found}
    assert used == {1: 1, 8: 4}  # one rank is the serial baseline
    audit = login.fab_in([], "audit", "--sweep", str(login.paths.folder))
    assert "of which 0 cannot be" in audit.stdout, audit.stdout


def test_each_number_of_nodes_has_a_job_of_its_own(login: Login) -> None:
    """The largest begins the sweep, and each makes what needs just its nodes, on whichever it gets."""
    login.study([1, 2, 4])
    said = submit(login, nodes=3, job_per="nodes")
    assert "at most 2 core-hours: a job of each of 2, 1 nodes of 2 CPUs for 20 min; 0% of it idles" in said
    jobs = numbers(said)
    assert len(jobs) == 2
    assert [login.waits(job) for job in jobs] == ["COMPLETED", "COMPLETED"]
    records = login.records()
    assert {ranks: record["outcome"] for ranks, record in records.items()} == {1: "ok", 2: "ok", 4: "ok"}
    ledger = login.ledger()
    (planned,) = [event for event in ledger if event["event"] == "planned"]
    by_id = {record["run_id"]: ranks for ranks, record in records.items()}
    assert {nodes: sorted(by_id[run] for run in runs) for nodes, runs in planned["jobs"].items()} == {
        "2": [4],
        "1": [1, 2],
    }
    # the second job went on where the first had ended
    about = [event["event"] for event in ledger if event["event"] in ("planned", "resumed", "started", "finished")]
    assert about == ["planned", "started", "resumed", "started", "started", "finished"]
    logs = [(login.paths.folder / "submitted" / f"{job}.log").read_text() for job in jobs]
    assert ["1 runs: 1 ok" in logs[0], "2 runs: 2 ok" in logs[1]] == [True, True], logs
    assert "is finished: give another --out" in submit(login, status=2, nodes=3, job_per="nodes")
    assert "was submitted with other flags" in submit(login, status=2, nodes=3)
    audit = login.fab_in([], "audit", "--sweep", str(login.paths.folder))
    assert "of which 0 cannot be" in audit.stdout, audit.stdout


def test_where_the_largest_job_never_began_the_others_wait_for_another(login: Login) -> None:
    login.study([1, 4])
    larger, smaller = numbers(submit(login, job_per="nodes", sbatch_option="--hold"))
    login.hosts.run("scancel", str(larger))
    login.hosts.run("scontrol", "release", str(smaller))
    assert login.waits(smaller) == "FAILED"
    log = (login.paths.folder / "submitted" / f"{smaller}.log").read_text()
    assert f"{login.paths.folder} is not begun, and this job has 1 nodes: a job of 2 is to begin it" in log
    again = numbers(submit(login, job_per="nodes"))
    assert [login.waits(job) for job in again] == ["COMPLETED", "COMPLETED"]
    assert {ranks: record["outcome"] for ranks, record in login.records().items()} == {1: "ok", 4: "ok"}


def test_one_job_of_a_sweep_at_a_time_beside_other_sweeps(login: Login) -> None:
    """Two sweeps wait in the queue, for all nodes are taken; a second job of one of them is refused."""
    whole = login.folder / "asleep"
    whole.write_text("#!/bin/sh\nsleep 300\n")
    other = login.hosts.run(
        "sbatch", "--parsable", "--output=/dev/null", "--nodes=4", "--exclusive", "--mem=0", str(whole)
    )
    login.study([1])
    first = number(submit(login))
    second = number(submit(login, out=login.folder / "second", alone=("--shared", "--ranks=2")))
    said = submit(login, status=2)
    assert f"job {first} of {login.paths.folder} is PENDING: wait for it, or 'scancel {first}' ends it" in said
    status = login.fab_in([], "status", "--sweep", str(login.paths.folder))
    begun, waiting = status.stdout.splitlines()
    assert begun == f"{login.paths.folder}: not begun"
    assert waiting in {f"job {first}: PENDING ({why})" for why in ("Resources", "Priority")}
    login.hosts.run("scancel", other.strip())
    assert {login.waits(first), login.waits(second)} == {"COMPLETED"}
    # of two CPUs a node the second job had one
    told = [
        json.loads((folder / "inventory.json").read_text()) for folder in (login.paths.folder, login.folder / "second")
    ]
    assert [(found["slurm"]["shared"], [node["slots"] for node in found["nodes"]]) for found in told] == [
        (False, [2, 2]),
        (True, [1, 1]),
    ]
    records = [read_record(path) for path in login.folder.glob("*/records/*.json")]
    assert {record["slurm"]["job"]: record["slurm"]["shared"] for record in records} == {first: False, second: True}
    log = (login.folder / "second" / "submitted" / f"{second}.log").read_text()
    assert "shared nodes: other jobs of Slurm's may run on them" in log
    done = login.fab_in([], "report", "--sweep", str(login.folder / "second"))
    assert done.returncode == 0, done.stderr
    assert "Marked shared nodes" in (login.folder / "second" / "report.html").read_text()


def sbatch_before(login: Login, text: str) -> dict[str, str]:
    """An environment in which the script stands for sbatch, whose real path it has as $SBATCH."""
    script = login.folder / "bin" / "sbatch"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    path = login.hosts.environment["PATH"]
    return {"PATH": f"{script.parent}:{path}", "SBATCH": str(shutil.which("sbatch", path=path))}


def submitting(login: Login, environment: dict[str, str], *where: str) -> subprocess.Popen[str]:
    """A `fab submit` that is at work."""
    words = [f"--study={login.folder}/small.toml", *where, "--nodes=2", "--time=20m", "--sbatch-option=--hold"]
    return login.start([str(FAB), "submit", *words], environment)


@pytest.mark.parametrize("out", [True, False])
def test_two_at_one_instant_are_kept_apart(login: Login, out: bool) -> None:
    """Both ask sbatch for longer than the other takes to get there, in a folder that is given, or that both choose."""
    slow = sbatch_before(login, 'sleep 5; exec "$SBATCH" "$@"')
    where = [f"--out={login.paths.folder}"] if out else []
    both = [submitting(login, slow, *where) for _ in range(2)]
    done = sorted((login.end(process) for process in both), key=lambda process: process.returncode)
    assert [process.returncode for process in done] == [0, 2], [process.stderr for process in done]
    (job,) = login.hosts.run("squeue", "--noheader", "--format=%i").split()
    assert number(done[0].stdout) == int(job)
    folder = str(login.paths.folder) if out else "results/runs/small-slurm-"
    assert f"convscale: job {job} of {folder}" in done[1].stderr
    assert "is PENDING: wait for it" in done[1].stderr


@pytest.mark.parametrize("killed", ["fab", "fab and sbatch"])
def test_a_job_whose_number_nobody_kept_is_known_by_its_name(login: Login, killed: str) -> None:
    """`fab` is killed while sbatch is at work, or both before sbatch says the number."""
    login.study([1])
    both = '"$SBATCH" "$@" >/dev/null; kill -9 $PPID'
    alone = 'kill -9 $PPID; exec "$SBATCH" "$@"'
    script = sbatch_before(login, alone if killed == "fab" else both)
    process = submitting(login, script, f"--out={login.paths.folder}")
    assert login.end(process).returncode == -signal.SIGKILL
    wait_for(lambda: login.hosts.run("squeue", "--noheader"), 60)
    (job,) = login.hosts.run("squeue", "--noheader", "--format=%i").split()
    kept = login.paths.folder / "submitted" / "jobs"
    if killed == "fab":
        wait_for(lambda: kept.read_text().split() == [job])
    else:
        assert not kept.read_text()
    status = login.fab_in([], "status", "--sweep", str(login.paths.folder))
    assert f"job {job}: PENDING" in status.stdout, status.stdout + status.stderr
    assert f"job {job} of {login.paths.folder} is PENDING: wait for it" in submit(login, 2, sbatch_option="--hold")
    assert kept.read_text().split() == [job]
    login.hosts.run("scontrol", "release", job)
    assert login.waits(int(job)) == "COMPLETED"


def test_down_cancels_what_was_submitted_and_nothing_else(login: Login) -> None:
    stranger = login.folder / "asleep"
    stranger.write_text("#!/bin/sh\nsleep 300\n")
    theirs = login.hosts.run("sbatch", "--parsable", "--output=/dev/null", str(stranger)).strip()
    login.study([4], repeats=100_000)
    ours = number(submit(login))
    told = login.fab_in([], "status", "--cluster", "slurm")
    assert f"job {ours}: " in told.stdout
    refused = login.fab_in([], "down", "--cluster", "slurm")
    assert refused.returncode == 2
    assert "give --yes" in refused.stderr
    done = login.fab_in([], "down", "--cluster", "slurm", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"job {ours}: " in done.stdout
    assert login.waits(ours) == "CANCELLED"
    assert login.hosts.run("squeue", "--noheader", "--format=%i").split() == [theirs]
    told = login.fab_in([], "status", "--sweep", str(login.paths.folder))
    assert f"job {ours} ended: CANCELLED" in told.stdout


@pytest.mark.parametrize(
    ("launcher", "said"),
    [("mpirun", ""), ("srum", "launcher = 'srum' is wrong: give srun or mpirun, or one of them by MPI (openmpi5, ")],
)
def test_a_description_has_the_launcher_that_is_asked_for(login: Login, launcher: str, said: str) -> None:
    done = login.fab_in([], "inventory", "--slurm", "--name=tests-launcher", f"--launcher={launcher}")
    path = login.root / "infra" / "clusters" / "tests-launcher"
    try:
        assert said in done.stderr
        assert (done.returncode, path.exists()) == ((2, False) if said else (0, True))
        assert said or f'launcher = "{launcher}"' in (path / "cluster.toml").read_text().splitlines()
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"nodes": 9}, "--nodes 9: partition main has 4"),
        ({"nodes": 0}, "--nodes 0: give a whole number of at least 1"),
        ({"time": "2h"}, "--time 120 min: partition main ends jobs after 60 min"),
        ({"partition": "mian"}, "partition 'mian' is unknown (did you mean main?)"),
        ({"job_per": "node"}, "--job-per 'node': give nodes, for a job for each number of nodes, or leave it out"),
        ({"job_per": "nodes", "within": "5%"}, "--job-per nodes and --within, which looks at all points at once"),
        ({"ranks": "1,x"}, "--ranks '1,x' is no list of whole numbers"),
        ({"sbatch_option": "--constraint=none"}, "sbatch refuses: Batch job submission failed: Invalid feature"),
    ],
)
def test_bad_input_is_one_line(login: Login, flags: dict, said: str) -> None:
    found = submit(login, status=2, **flags).strip().splitlines()
    assert said in found[-1]
    assert found[-1].startswith("convscale: ")
