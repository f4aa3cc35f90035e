"""The convolution as an experiment: its command, and what is taken of what a run left."""

import json
from pathlib import PurePosixPath

import pytest

from orchestration.experiments.convolution.experiment import Convolution
from orchestration.jobs.job import JobFolders
from orchestration.paths import SweepPaths
from orchestration.planning.plan import PlannedRun
from tests.runs import make_run
from workload.domain.problem import Problem

EXPERIMENT = Convolution()
RUN = make_run(Problem(8, 3, 3, 16, 16, 3), 4)


def planned(run=RUN):
    return PlannedRun(run, ("strong",), 10.0, 4, point="one", label="one")


def words(paths, run=RUN):
    request = EXPERIMENT.request(planned(run), "/v/bin/python", [PurePosixPath("/p.npy")], paths)
    return request, " ".join(request.program(JobFolders(PurePosixPath("/j"), PurePosixPath("/s"), PurePosixPath("/w"))))


def test_the_first_run_of_a_sweep_leaves_a_picture_and_the_next_does_not(tmp_path):
    paths = SweepPaths(tmp_path)
    request, first = words(paths)
    command = "/v/bin/python -E -s -m mpi4py -m workload --run /j/run.json --record /j/measurement.json --images /p.npy"
    assert first == f"{command} --preview /j/preview.npz"
    assert request.documents["run.json"]["run_id"] == RUN.run_id
    paths.make()
    paths.picture("input").touch()
    assert words(paths)[1] == command


def test_a_run_that_saves_has_a_folder_to_save_to(tmp_path):
    request, command = words(SweepPaths(tmp_path), make_run(Problem(8, 3, 3, 16, 16, 3), 4, save=True))
    assert "--save-to /j/saved" in command
    assert request.folders == ("saved",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "left no measurement"),
        (b"", "not whole JSON"),
        (b'{"schema_version": 1, "run_id": "0123', "not whole JSON"),
        (b'{"schema_version": 1, "total_s": NaN}', "not whole JSON"),
        (b"\xff\xfe", "not whole JSON"),
        (b"[]", "no JSON object"),
        (b'{"schema_version": 2}', "schema_version 2"),
        (b'{"schema_version": 1, "run_id": "another"}', f"of run another, not of {RUN.run_id}"),
        (json.dumps({"schema_version": 1, "run_id": RUN.run_id}).encode(), "lacks run"),
        (b'{"schema_version": 1, "x": ' + b"[" * 200_000, "not whole JSON"),
    ],
)
def test_a_measurement_that_is_none(content, words):
    reading = EXPERIMENT.read(content, planned())
    assert reading.document is None
    assert words in reading.missing


@pytest.mark.parametrize(
    ("movement", "outcome", "good"),
    [
        ("serial", "ok", True),
        ("serial", "skipped", True),
        ("serial", "wrong_answer", False),
        ("replica", "wrong_answer", True),
        ("replica", "crashed", False),
    ],
)
def test_the_replicas_wrong_answer_is_as_planned(movement, outcome, good):
    run = make_run(Problem(8, 3, 3, 16, 16, 3), 1, movement=movement)
    assert EXPERIMENT.as_planned(planned(run), outcome) is good
