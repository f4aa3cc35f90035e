"""A launch is not begun in a Slurm job that would end in its middle, and no job takes over the runs of another."""

from types import SimpleNamespace

import pytest

from orchestration.clusters.inventory import SlurmJob
from orchestration.errors import Stopped
from orchestration.jobs.executor import State
from orchestration.paths import SweepPaths
from orchestration.sweep import resume
from orchestration.sweep.ledger import Ledger
from orchestration.sweep.runner import SweepRunner
from tests.orchestration.support import make_inventory


class Begun(SweepRunner):
    """What it begins, without carrying it out: each run takes 4 s."""

    def __post_init__(self) -> None:
        self.begun: list[tuple[int, str | None]] = []
        self.utc_now = lambda: f"2026-01-01T00:00:{4 * sum(late is None for _, late in self.begun):02}Z"

    def _set_up(self, pending) -> None:
        pass

    def _canary(self, when) -> None:
        pass

    def _one(self, planned, late) -> None:
        self.begun.append((planned.run.launch, late))


@pytest.mark.parametrize(
    ("left_s", "slurm", "launches"),
    [
        (36, True, [0, 0, 0, 1, 1, 1, 2, 2, 2]),
        (35, True, [0, 0, 0, 1, 1, 1]),
        (23, True, [0, 0, 0]),
        (5, True, [0, 0, 0]),  # the first that a job makes is tried, for what runs take is not certain
        (23, False, [0, 0, 0, 1, 1, 1, 2, 2, 2]),  # whose runs are skipped one by one
    ],
)
def test_a_launch_that_would_outlast_the_job_is_not_begun(tmp_path, left_s, slurm, launches):
    ends = {"expires_at": f"2026-01-01T00:00:{left_s:02}Z"}
    job = {"slurm": SlurmJob(cluster="birch", job=7, partition="main")} if slurm else {}
    sweep = SimpleNamespace(inventory=make_inventory(2).model_copy(update=ends | job))
    progress = SimpleNamespace(expected_s=lambda *runs: 4.0 * len(runs))
    runs = [
        SimpleNamespace(run=SimpleNamespace(launch=launch, run_id=f"{launch}{k}"))
        for launch in range(3)
        for k in range(3)
    ]
    runner = Begun(sweep, SweepPaths(tmp_path), progress)
    assert runner._carry_out(runs) == 9
    assert [launch for launch, late in runner.begun if late is None] == launches
    assert all(late.startswith("expired: ") for _, late in runner.begun if late is not None)


@pytest.mark.parametrize("left_s", [11, 12])
def test_a_job_too_short_for_a_launch_that_another_did_not_finish_stops_and_says_so(tmp_path, monkeypatch, left_s):
    """It takes 12 s: what two of its three runs took is known."""
    here = SlurmJob(cluster="birch", job=7, partition="main")
    inventory = make_inventory(2).model_copy(update={"slurm": here, "expires_at": f"2026-01-01T00:00:{left_s:02}Z"})
    runs = [SimpleNamespace(run=SimpleNamespace(launch=0, run_id=f"{k}" * 16)) for k in range(3)]
    runner = Begun(SimpleNamespace(inventory=inventory, runs=lambda _: runs), SweepPaths(tmp_path), SimpleNamespace())
    paths = runner.paths = SweepPaths(tmp_path)
    runner.ledger = Ledger(paths.ledger)
    aside: list[str] = []
    runner.recorder = SimpleNamespace(set_aside=aside.append)
    before = here.model_copy(update={"job": 6}).of_record
    made = {item.run.run_id: {"outcome": "ok", "reason": "", "slurm": before} for item in runs[:2]}
    monkeypatch.setattr(resume, "records", lambda _: made)
    for run_id in made:
        runner.ledger.append("started", "2026-01-01T00:00:00Z", run_id=run_id)
        runner.ledger.append("ended", "2026-01-01T00:00:04Z", run_id=run_id)
    if left_s < 12:
        with pytest.raises(Stopped, match=r"^expired: launch 0 takes about 12 s, 11 s are left .*: ask for more time"):
            runner._begin_launches_anew()
        assert (aside, runner.ledger.last("interrupted") is not None) == ([], True)
    else:
        runner._begin_launches_anew()
        assert sorted(aside) == list(made)


@pytest.mark.parametrize(
    ("job", "restarts", "adopted"),
    [(7, 0, True), (8, 0, False), (7, 1, False), (None, 0, True)],
)
def test_a_run_that_another_slurm_job_started_is_not_taken_over(tmp_path, job, restarts, adopted):
    """Where fab was killed before it recorded the run. Outside of Slurm, and in the same job, it is."""
    here = SlurmJob(cluster="birch", job=7, partition="main")
    began = None if job is None else here.model_copy(update={"job": job, "restarts": restarts})
    slurm = {"slurm": here} if began else {}
    sweep = SimpleNamespace(
        inventory=make_inventory(2).model_copy(update=slurm),
        executor=SimpleNamespace(state=lambda _: State.ENDED),
    )
    runner, paths = Begun(sweep, SweepPaths(tmp_path), SimpleNamespace()), SweepPaths(tmp_path)
    runner.paths, runner.ledger = paths, Ledger(paths.ledger)
    runner.recorder = SimpleNamespace(interrupted=lambda _: False)
    run_id = "0123456789abcdef"
    by = {"slurm": began.of_record} if began else {}
    runner.ledger.append("started", "2026-01-01T00:00:00Z", run_id=run_id, **by)
    assert runner._adoptable(paths.job(run_id)) is adopted
    assert runner._adoptable(paths.job("f" * 16))  # which an older convscale started
