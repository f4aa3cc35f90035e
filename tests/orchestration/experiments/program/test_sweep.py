"""A program's sweep from beginning to end on this machine: resumed, pulled, compared, exported, reported."""

import csv
import json
import re
import signal
from pathlib import Path

import pytest

from results.report.exports import has_parquet
from tests.cluster.host import wait_for
from tests.orchestration.experiments.program.conftest import Place

# rank 0 tells a time by Amdahl's law; ranks wait where a file says so
PROGRAM = """
until [ ! -e {folder}/wait-at-$1 ]; do touch {folder}/at-work; sleep 0.1; done
[ "$OMPI_COMM_WORLD_RANK" = 0 ] && awk -v n="$1" 'BEGIN {{ printf "Elapsed: %.4f\\n", {factor} * (0.05 + 0.95 / n) }}'
exit 0
"""
FLAGS = (
    "--command",
    "sh law.sh {ranks}",
    "--mpi",
    "openmpi5",
    "--metric",
    "time_s=Elapsed: {number}",
    "--ranks",
    "1,2",
)
OF_THE_CONVOLUTION = ("movement", "backend", "convol", "image", "scatter", "gflop", "forward")


def program(place: Place, factor: float = 10.0) -> None:
    (place.folder / "law.sh").write_text(PROGRAM.format(folder=place.folder, factor=factor))


def at_work(place: Place, ranks: int) -> Path:
    """Makes runs on so many ranks wait; the file whose removal lets them end."""
    wait = place.folder / f"wait-at-{ranks}"
    wait.touch()
    return wait


@pytest.mark.thorough
def test_after_ctrl_c_the_same_command_goes_on_where_it_stopped(place: Place) -> None:
    program(place)
    wait = at_work(place, 2)
    flags = (*FLAGS, "--launches", "2")
    process = place.begin("sweep", "--out", "out", *flags)
    wait_for((place.folder / "at-work").exists)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=600)
    assert process.returncode == 1
    before = {record["run_id"]: record for record in place.records()}
    assert len(before) < 4
    assert not list(place.paths.jobs.iterdir())
    wait.unlink()
    done = place.sweep(*flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "going on with" in done.stdout
    after = {record["run_id"]: record for record in place.records()}
    assert len(after) == 4
    assert {name: after[name] for name in before} == before
    assert {record["outcome"] for record in after.values()} == {"ok"}


def test_what_ended_after_fab_was_killed_is_pulled(place: Place) -> None:
    program(place)
    wait = at_work(place, 1)
    process = place.begin("sweep", "--out", "out", *FLAGS[:-1], "1", "--launches", "1")
    wait_for((place.folder / "at-work").exists)
    process.kill()
    process.communicate(timeout=600)
    assert "1 runs at work" in place.fab("pull", "--sweep", "out").stdout
    wait.unlink()
    wait_for(lambda: list(place.paths.jobs.glob("*/exit.json")))
    done = place.fab("pull", "--sweep", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 records written, 0 runs at work" in done.stdout
    (record,) = place.records()
    assert record["outcome"] == "ok"
    assert record["metrics"][0]["value"] == pytest.approx(10.0)


@pytest.mark.thorough
def test_two_sweeps_are_compared_reported_together_and_exported(place: Place) -> None:
    flags = ("--launches", "3")
    for name, factor in (("one", 10.0), ("two", 20.0)):
        program(place, factor)
        done = place.fab("sweep", "--out", name, *FLAGS, *flags)
        assert done.returncode == 0, done.stdout + done.stderr
    compared = place.fab("compare", "one", "two")
    assert compared.returncode == 1  # the second is slower
    assert "slower" in compared.stdout
    joint = place.fab("report", "--sweep", "one", "--sweep", "two", "--out", "joint")
    assert joint.returncode == 0, joint.stderr
    page = re.sub(
        r"<(script|style|svg)\b.*?</\1>", "", (place.folder / "joint" / "report.html").read_text(), flags=re.S
    )
    assert "sh law.sh" in page
    for text in (compared.stdout, joint.stdout, page):
        assert not [word for word in OF_THE_CONVOLUTION if word in text.lower()]
    exported(place.folder / "one")


def exported(folder: Path) -> None:
    rows = list(csv.DictReader((folder / "samples.csv").read_text().splitlines()))
    assert len(rows) == 3 * (1 + 2) * 3  # launches, ranks, parts
    assert {row["phase"] for row in rows} == {"user", "system", "waiting"}
    (table,) = [path for path in (folder / "tables").glob("*.csv") if path.name.startswith("strong-strong")]
    times = {int(row["ranks"]): float(row["time_s"]) for row in csv.DictReader(table.read_text().splitlines())}
    assert times == {1: pytest.approx(10.0), 2: pytest.approx(5.25)}
    assert "MPI time needs a program that is linked with mpiP" in (folder / "tables" / "check.md").read_text()
    (extra_p,) = (folder / "exports").glob("*.extrap.json")
    paths = json.loads(extra_p.read_text())["measurements"]
    assert set(paths) == {"time_s", "wall", "wall->user", "wall->system", "wall->waiting"}
    assert paths["time_s"]["time"] == [
        {"point": [1], "values": [10.0] * 3},
        {"point": [2], "values": [5.25] * 3},
    ]
    if has_parquet():
        from pyarrow import parquet

        assert parquet.read_table(folder / "samples.parquet").num_rows == len(rows)


@pytest.mark.thorough
@pytest.mark.parametrize("source", ["yes", "cat /dev/zero", "cat /dev/urandom"])
def test_much_output_is_cut_and_its_end_is_read(place: Place, source: str) -> None:
    (place.folder / "loud.sh").write_text(f"{source} | head -c 200000000\necho\necho Elapsed: 3\n")
    flags = ("--command", "sh loud.sh", "--mpi", "openmpi5", "--metric", "time_s=Elapsed: {number}")
    done = place.sweep(*flags, "--ranks", "1", "--launches", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = place.records()
    assert record["metrics"][0]["value"] == 3.0
    assert len(record["log_tail"]) <= 4000
    (log,) = place.paths.logs.glob("*.log")
    assert b"bytes of this rank's output are left out here" in log.read_bytes()
    assert log.stat().st_size < 6 * 2**20


MPIP = """@ mpiP
@ Version                  : 3.5.0
@--- MPI Time (seconds) ---------------------------------------------------
Task    AppTime    MPITime     MPI%
   0       1.25       0.25    20.00
   *       1.25       0.25    20.00
"""


@pytest.mark.thorough
def test_a_report_of_mpip_becomes_the_table_of_mpi_time(place: Place) -> None:
    (place.folder / "profiled.sh").write_text(f"cat > prog.1.1.1.mpiP <<'END'\n{MPIP}END\n")
    flags = ("--mpi", "openmpi5", "--ranks", "1", "--launches", "1")
    done = place.sweep("--command", "sh profiled.sh", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    table = place.paths.folder / "tables" / "mpi-strong.md"
    text = table.read_text()
    assert "| 0 | 1.250 | 0.2500 | 20.00 |" in text
    assert "tested on one made by hand after the form of mpiP 3.5" in text
