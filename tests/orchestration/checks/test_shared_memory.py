from orchestration.checks.shared_memory import single_copy, windows
from tests.orchestration.experiments.convolution.test_plan import STRONG, made
from tests.orchestration.support import make_inventory


def test_runs_whose_windows_do_not_fit_are_counted():
    runs = made(STRONG + 'ranks = [2, 4]\nmovement = ["shared", "tree"]\n').runs
    assert windows(runs, make_inventory(4), [{"shared_memory_free_bytes": 2**30}]).verdict == "good"
    found = windows(runs, make_inventory(4), [{"shared_memory_free_bytes": 2**20}])
    shared = sum(item.run.movement == "shared" for item in runs)
    assert found.verdict == "warning"
    assert found.warnings[0].startswith(f"{shared} of {len(runs)} runs will be skipped (shared memory: ")


def test_where_messages_are_copied_twice_is_said():
    assert single_copy([{"node": "a", "single_copy": True}, {"node": "b"}]).verdict == "good"
    found = single_copy([{"node": "a", "single_copy": True}, {"node": "b", "single_copy": False}])
    assert found.warnings[0].startswith("single copy is forbidden on b: ")
