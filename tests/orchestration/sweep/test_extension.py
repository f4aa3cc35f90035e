"""Launches that are added until the points are precise enough: which, how long, and how such a sweep goes on."""

import re
import signal
import subprocess

import pytest

from orchestration.errors import Refusal
from orchestration.sweep import extension
from orchestration.sweep.extension import Goal, Judgement
from tests.orchestration.conftest import STUDY
from tests.orchestration.experiments.convolution.test_plan import HEAD, STRONG, WEAK, made
from tests.orchestration.support import FAB, ROOT
from workload.agent.supervise import SUPERVISOR
from workload.record.kinds import read_record

TWO_SIZES = STUDY[: STUDY.index("[[series]]")] + (
    '[[series]]\nname = "sizes"\nscaling = "size"\nranks = [1]\nbatch = [2, 4]\n'
)


@pytest.fixture
def sizes(lab):
    """A lab with two points of one rank; `noisy` ranks take twice as long for the larger every other time."""
    lab.study.write_text(TWO_SIZES)
    return lab


def launches(lab):
    """The batch and the number of each launch, in the order in which they ran."""
    records = sorted(lab.records(), key=lambda record: record["sequence"])
    return [(record["run"]["problem"]["batch"], record["launch"]) for record in records]


def ends(lab):
    return [event["end"] for event in lab.ledger() if event["event"] == "look"]


@pytest.mark.thorough
def test_launches_are_added_until_every_point_is_precise(sizes):
    done = sizes.sweep("ok", within="5%")
    assert done.returncode == 0, done.stderr
    assert sorted(launches(sizes)) == [(batch, launch) for batch in (2, 4) for launch in (0, 1, 2)]
    assert sizes.events() == [
        "planned", *["started", "ended"] * 2, *["look", "extended", *["started", "ended"] * 2] * 2, "look", "finished",
    ]  # fmt: skip
    assert ends(sizes) == [None, None, "precise"]
    assert "every point lies within 5 %, the widest ±0 %, sizes: 1 rank" in done.stdout
    assert "6 ok" in done.stdout
    assert sizes.sweep("ok", within="5%", out=None).stdout.startswith("another sweep")


@pytest.mark.thorough
def test_a_precise_point_costs_no_more_time_and_a_limit_ends_the_other(sizes):
    done = sizes.sweep("noisy", within="5%", max_launches="5")
    assert done.returncode == 0, done.stderr
    assert sorted(launches(sizes)) == [(2, 0), (2, 1), (2, 2), *((4, launch) for launch in range(5))]
    assert ends(sizes)[-1] == "--max-launches 5"
    assert "1 of 2 points does not lie within 5 %" in done.stdout
    assert "--max-launches 5 ends the sweep here" in done.stdout


@pytest.mark.thorough
def test_another_limit_goes_on_with_the_same_sweep(sizes):
    planned = sizes.sweep("noisy", out=None)
    folder = planned.stdout.split("another sweep: ")[1].split()[0]
    for limit, runs in (("3", "6 ok"), ("4", "7 ok")):
        done = sizes.sweep("noisy", out=None, within="5%", max_launches=limit)
        assert f"going on with {folder}" in done.stdout
        assert runs in done.stdout
    again = sizes.sweep("noisy", out=None, within="5%", max_launches="4")
    assert f"going on with {folder}" in again.stdout, "a limit that ended it ends it again"
    assert sizes.sweep("noisy", out=None).stdout.startswith("another sweep"), "it is over, but for --within"


@pytest.mark.thorough
def test_the_time_at_work_is_limited_across_sittings(sizes):
    for _ in range(2):
        done = sizes.sweep("noisy", within="5%", max_time="0.001s")
        assert done.returncode == 0, done.stderr
        assert launches(sizes) == launches(sizes)[:2], "planned launches are made whatever the limit"
        assert "--max-time 0.001s ends the sweep here" in done.stdout


@pytest.mark.thorough
def test_what_is_left_of_a_block_is_done_without_the_flag(sizes):
    sizes.sweep("noisy", within="5%", max_launches="3")
    lost = max(sizes.records(), key=lambda record: record["sequence"])
    sizes.paths.record(lost["run_id"]).unlink()
    done = sizes.sweep("noisy")
    assert done.returncode == 0, done.stderr
    assert "[1/1]" in done.stdout
    assert "6 ok" in done.stdout
    (again,) = [record for record in sizes.records() if record["run_id"] == lost["run_id"]]
    assert (again["sequence"], again["run"]) == (lost["sequence"], lost["run"])


@pytest.mark.thorough
def test_a_block_whose_fab_was_killed_goes_on_and_so_does_the_sweep(sizes):
    process = sizes.begin("slow", within="5%")
    sizes.wait_for(lambda: sizes.paths.ledger.exists() and sizes.events()[-2:] == ["extended", "started"])
    sizes.wait_for(lambda: list(sizes.paths.jobs.glob(f"*/{SUPERVISOR}")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = sizes.sweep("ok", within="5%")
    assert done.returncode == 0, done.stderr
    assert sorted(launches(sizes)) == [(batch, launch) for batch in (2, 4) for launch in (0, 1, 2)]
    resumed = sizes.events()[sizes.events().index("resumed") :]
    assert resumed[1] == "adopted"
    assert resumed.count("extended") == 1, "the block that was begun is not begun again"
    assert ends(sizes)[-1] == "precise"


@pytest.mark.thorough
def test_a_point_whose_runs_fail_gets_no_more_launches(sizes):
    done = sizes.sweep("truncated", within="5%")
    assert done.returncode == 1
    assert len(sizes.records()) == 2
    assert "no point is made more precise by more launches (2 points left out: its outcome is crashed)" in done.stdout
    (look,) = [event for event in sizes.ledger() if event["event"] == "look"]
    assert set(look["left_out"]) == {record["run_id"] for record in sizes.records()}


@pytest.mark.thorough
def test_a_dry_run_lists_the_added_runs(sizes):
    sizes.sweep("noisy", within="5%", max_launches="3")
    done = sizes.sweep("noisy", dry_run="yes")
    assert done.stdout.count("done") == 6
    assert "0 of 6 runs to do" in done.stdout


@pytest.mark.thorough
def test_a_dry_run_says_what_precision_takes_by_earlier_sweeps(sizes):
    def said(**flags):
        return sizes.sweep("noisy", out=None, new="yes", dry_run="yes", within="5%", **flags).stdout.splitlines()[-1]

    assert said() == "--within 5 %: no earlier sweep of study small on cluster local says how many launches that takes"
    assert sizes.sweep("noisy", out=None, launches="2").returncode == 0
    assert re.fullmatch(
        r"--within 5 %: 3 to 12 launches of a point, 15 runs in about \d+\.\d minutes, by 1 earlier sweep; "
        r"1 of 2 points would need more than --max-launches 12", said(max_launches="12"),
    )  # fmt: skip
    sizes.study.write_text(TWO_SIZES.replace("batch = [2, 4]", "batch = [2, 3]"))
    assert said().endswith("by 1 earlier sweep; of 1 point nothing is known")


SAYS = """
import sys
from mpi4py import MPI

print("took", 1 + int(sys.argv[1]) * int(sys.argv[2]) % 2)
"""


@pytest.mark.thorough
def test_a_persons_own_program_gets_launches_too(tmp_path):
    (tmp_path / "says.py").write_text(SAYS)
    words = ["--command", "{python} says.py {noisy} {launch}", "--parameter", "noisy=0,1", "--ranks", "1"]
    words += ["--metric", "t=took {number}", "--launches", "1", "--within", "5%", "--max-launches", "4"]
    command = [FAB, "--search-root", ROOT, "sweep", "--out", tmp_path / "out", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    records = [read_record(path) for path in (tmp_path / "out" / "records").glob("*.json")]
    ran = sorted((record["run"]["parameters"]["noisy"], record["launch"]) for record in records)
    assert ran == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)]
    assert "--max-launches 4 ends the sweep here" in done.stdout
    assert "they are taken at 99%" in done.stdout


def test_the_ledger_of_another_study_is_refused():
    plan = made(WEAK + "ranks = [1, 2]\n")
    event = {"event": "extended", "launch": 2, "runs": ["0" * 16]}
    with pytest.raises(Refusal, match="by run 0000000000000000, which its study does not have: give --new"):
        extension.known_runs(plan, [event])


@pytest.mark.parametrize("text", [STRONG, WEAK + "ranks = [1, 2]\n", STRONG + "launches = 1\n" + WEAK])
def test_further_launches_are_those_of_a_study_with_more_of_them(text):
    few, many = made(text), made(text.replace("launches = 1\n", ""), head=HEAD.replace("launches = 2", "launches = 4"))
    for number in range(4):
        of_many = [item.run.run_id for item in many.runs if item.run.launch == number]
        assert [item.run.run_id for item in few.block(number)] == of_many


def goal(wide, **limits):
    return Goal(0.05, lambda _: Judgement(frozenset(wide), "", ""), **limits)


def test_a_block_brings_points_of_fewer_launches_up_first():
    plan = made("[[series]]\nlaunches = 1\n" + STRONG.split("\n", 1)[1] + "ranks = [1]\n" + WEAK + "ranks = [2]\n")
    every = [item.run.run_id for item in plan.runs]
    events = []
    blocks = []
    while (look := extension.look(goal(every, most_launches=4), plan, None, events)).block:
        launch = look.block[0].run.launch
        blocks.append((launch, sorted(item.series[0] for item in look.block)))
        events.append({"event": "extended", "launch": launch, "runs": [item.run.run_id for item in look.block]})
    both = ["strong", "strong", "weak"]
    assert blocks == [(1, ["strong", "strong"]), (2, both), (3, both)]
    sequences = [item.sequence for item in extension.known_runs(plan, events)]
    assert sequences == list(range(len(every) + 2 + 3 + 3))
    assert look.end == "--max-launches 4"


def test_time_at_work_counts_no_pause():
    def at(second, event, **values):
        return {"event": event, "utc": f"2026-01-01T00:00:{second:02}.500+00:00", **values}

    events = [
        at(0, "planned"), at(1, "started", run_id="a"), at(5, "ended", run_id="a"),
        at(40, "resumed"), at(41, "started", run_id="b"), at(43, "ended", run_id="b"),
    ]  # fmt: skip
    assert extension.spent_s(events) == pytest.approx(8.0)
    assert dict(extension.durations_s(events)) == pytest.approx({"a": 4.0, "b": 2.0})
    assert extension.spent_s([]) == 0


def test_a_block_that_would_outlast_the_limit_does_not_begin():
    plan = made(WEAK + "ranks = [1]\n")
    (first, _) = plan.runs
    events = [
        {"event": "planned", "utc": "2026-01-01T00:00:00+00:00"},
        {"event": "started", "utc": "2026-01-01T00:00:00+00:00", "run_id": first.run.run_id},
        {"event": "ended", "utc": "2026-01-01T00:00:10+00:00", "run_id": first.run.run_id},
    ]
    wide = [first.run.run_id]
    assert extension.look(goal(wide, most_s=21.0), plan, None, events).block
    late = extension.look(goal(wide, most_s=19.0, time_limit="--max-time 19s"), plan, None, events)
    assert (late.block, late.end) == ((), "--max-time 19s")
