"""What a study has done on the head: the build before the sweep, its setup and its cleanup."""

import signal

import pytest

from tests.cluster.host import wait_for
from tests.orchestration.experiments.program.conftest import Place

STUDY = """
schema_version = 1
name = "small"
launches = 1
[program]
command = ["sh", "built.sh"]
mpi = "openmpi5"
files = ["source.sh"]
build = [["echo", "building"], ["cp", "source.sh", "built.sh"]]
setup = {setup}
cleanup = {cleanup}
[[series]]
name = "strong"
scaling = "strong"
ranks = [1]
"""


def study(place: Place, *, setup: str = "", cleanup: str = "", program: str = "true") -> None:
    """A study whose chores are lines of a shell; `$MARK` is a file that stands outside the program's folders."""
    (place.folder / "source.sh").write_text(f"{program}\n")
    words = [
        "[]" if not line else str([["sh", "-c", f"MARK={place.folder}/mark; {line}"]]) for line in (setup, cleanup)
    ]
    (place.folder / "small.toml").write_text(STUDY.format(setup=words[0], cleanup=words[1]))


def chores(place: Place) -> list[tuple[str, int | None]]:
    return [(event["event"], event["exit_status"]) for event in place.events("setup", "cleanup")]


@pytest.mark.thorough
def test_setup_comes_before_the_runs_and_cleanup_after_them_among_the_built_files(place: Place) -> None:
    mark = place.folder / "mark"
    study(place, setup="ls; echo made > $MARK", cleanup="cat $MARK; rm $MARK", program=f"cat {mark}")
    done = place.sweep("--study", "small.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = place.records()
    assert record["log_tail"].strip() == "made"
    assert "building" in place.log("build")
    assert "built.sh" in place.log("setup")
    assert place.log("cleanup").splitlines()[-1] == "made"
    assert not mark.exists()
    assert chores(place) == [("setup", None), ("setup", 0), ("cleanup", None), ("cleanup", 0)]
    assert place.sweep("--study", "small.toml").returncode == 0  # nothing is left to do
    assert len(chores(place)) == 4


@pytest.mark.thorough
def test_launches_that_are_added_to_a_sweep_are_set_up_for(place: Place) -> None:
    mark = place.folder / "mark"
    study(place, setup="touch $MARK", cleanup="rm $MARK", program=f"test -e {mark}")
    for more in ([], ["--within", "0.1%", "--max-launches", "3"]):
        done = place.sweep("--study", "small.toml", *more)
        assert done.returncode == 0, done.stdout + done.stderr
    assert [record["outcome"] for record in place.records()] == ["ok"] * 3
    assert [name for name, status in chores(place) if status == 0] == ["setup", "cleanup", "setup", "cleanup"]


def test_a_build_that_fails_is_refused_with_its_last_lines(place: Place) -> None:
    study(place)
    text = (place.folder / "small.toml").read_text().replace('"building"', '"building"], ["ls", "no-such-file"')
    (place.folder / "small.toml").write_text(text)
    done = place.sweep("--study", "small.toml")
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 2
    assert line.startswith("convscale: the build fails on the head: ")
    assert "no-such-file" in line
    assert not place.paths.folder.exists()


def test_a_setup_that_fails_starts_no_run_and_is_cleaned_up(place: Place) -> None:
    study(place, setup="echo half > $MARK; echo the disk is missing; false", cleanup="rm $MARK")
    done = place.sweep("--study", "small.toml")
    assert (done.returncode, place.records()) == (2, [])
    assert done.stderr.strip() == (
        "convscale: the setup fails on the head, so no run was started: "
        f"+ sh -c MARK={place.folder}/mark; echo half > $MARK; echo the disk is missing; false | the disk is missing"
    )
    assert not (place.folder / "mark").exists()
    assert place.log("setup").endswith("the disk is missing\n")


@pytest.mark.thorough
@pytest.mark.parametrize("program", ["exit 3", "echo 'no number'"])
def test_a_run_that_fails_is_cleaned_up_after(place: Place, program: str) -> None:
    study(place, setup="touch $MARK", cleanup="rm $MARK", program=program)
    metric = ("--metric", "time_s=Elapsed: {number}")
    done = place.sweep("--study", "small.toml", *metric)
    assert done.returncode == 1, done.stdout + done.stderr
    assert [record["outcome"] for record in place.records()] in (["crashed"], ["no_metric"])
    assert not (place.folder / "mark").exists()


@pytest.mark.thorough
def test_after_ctrl_c_it_is_cleaned_up_and_the_same_command_sets_up_again(place: Place) -> None:
    go = place.folder / "go"
    study(
        place,
        setup="touch $MARK",
        cleanup="rm $MARK",
        program=f"touch {place.folder}/at-work; until [ -e {go} ]; do sleep 0.1; done",
    )
    process = place.begin("sweep", "--out", "out", "--study", "small.toml")
    wait_for((place.folder / "at-work").exists)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 1
    assert err.startswith("convscale: interrupted")
    assert place.records() == []
    assert not (place.folder / "mark").exists()
    go.touch()
    done = place.sweep("--study", "small.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "going on with" in done.stdout
    assert [name for name, status in chores(place) if status == 0] == ["setup", "cleanup", "setup", "cleanup"]


@pytest.mark.thorough
def test_a_cleanup_that_fails_is_told_when_every_run_is_recorded(place: Place) -> None:
    study(place, cleanup="echo somebody uses it; exit 4")
    done = place.sweep("--study", "small.toml")
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("convscale: the cleanup fails on the head: ")
    assert line.endswith("somebody uses it; what was recorded stands, 'fab report' shows it")
    assert [record["outcome"] for record in place.records()] == ["ok"]
