"""A sweep of ranks on cores and of a GPU that a CPU plays: its records, its audit, and the report's section."""

import csv

import pytest

from tests.workload.gpu.played import COMPILER, NO_COMPILER
from workload.gpu import driver
from workload.record.schema import DEVICE_PARTS

STUDY = """
schema_version = 1
name = "small"
launches = 1
repeats = 1
warmups = 1
timeout_s = 300.0
images = "synthetic"
problem = { batch = 4, in_channels = 3, out_channels = 3, height = 64, width = 64, kernel_size = 3 }
[[series]]
name = "cores"
scaling = "strong"
ranks = [2]
movement = ["shared"]
backend = ["numpy"]
[[series]]
name = "gpu"
scaling = "strong"
ranks = [1]
movement = ["device"]
backend = ["cuda"]
[[series]]
name = "pieces"
scaling = "strong"
ranks = [1]
movement = ["device"]
backend = ["cuda"]
options = { chunk_bytes = 1 }
"""


@pytest.mark.thorough
@pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)
def test_a_gpu_beside_the_cores_from_the_study_to_the_report(lab, menu):
    lab.study.write_text(STUDY)
    done = lab.sweep("played-gpu")
    assert done.returncode == 0, done.stderr
    records = {(record["run"]["movement"], bool(record["run"]["options"])): record for record in lab.records()}
    assert all(record["outcome"] == "ok" and record["check"]["passed"] for record in records.values())
    for pieces in (False, True):
        (rank,) = records["device", pieces]["repeats"][0]["ranks"]
        assert set(rank["device_s"]) == set(DEVICE_PARTS)

    audit = menu("audit", "--sweep", str(lab.paths.folder))
    assert audit.returncode == 0, audit.stdout
    assert menu("report", "--sweep", str(lab.paths.folder)).returncode == 0
    with (lab.paths.folder / "tables" / "gpu.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    times = {pieces: records["device", pieces]["repeats"][0]["forward_s"] for pieces in (False, True)}
    assert float(row["gpu_forward_s"]) == pytest.approx(min(times.values()))
    kernels = [records["device", pieces]["repeats"][0]["ranks"][0]["device_s"]["convolve"] for pieces in (False, True)]
    assert float(row["kernel_s"]) == pytest.approx(min(kernels))
    assert "GPU beside MPI" in (lab.paths.folder / "report.html").read_text()


@pytest.mark.thorough
@pytest.mark.skipif(driver.missing() is None, reason="this machine has a GPU")
def test_a_machine_without_a_gpu_is_refused_in_one_line(lab):
    lab.study.write_text(STUDY)
    done = lab.sweep("real", dry_run="yes")
    assert done.returncode == 2
    assert "backend cuda: " in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    left = lab.sweep("real", dry_run="yes", series="cores")
    assert left.returncode == 0, "what needs none can be run alone"
