"""All that is wrong is said at once, and nothing where nothing is."""

from collections import namedtuple

import pytest

from orchestration.checks import preflight
from tests.orchestration.support import make_inventory

Run = namedtuple("Run", "ranks_per_node threads")
Item = namedtuple("Item", "run disk_bytes")


def item(ranks=2, threads=1, disk_bytes=0):
    return Item(Run(ranks, threads), disk_bytes)


def test_nothing_is_wrong_here(tmp_path):
    assert preflight.problems([item()], make_inventory(2), 2, tmp_path) == []


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (item(ranks=4, threads=2), "4 ranks of 2 threads want 8 cores of 2"),
        (item(ranks=2**40), "/dev/shm has"),
        (item(disk_bytes=2**60), "bytes free on its disk"),
    ],
)
def test_each_trouble_is_a_line(tmp_path, run, words):
    (line,) = preflight.problems([run], make_inventory(2), 2, tmp_path)
    assert words in line


def test_ranks_may_outnumber_cores(tmp_path):
    assert preflight.problems([item(ranks=8)], make_inventory(2), 2, tmp_path) == []


def test_all_at_once(tmp_path):
    inventory = make_inventory(2).model_copy(update={"python": str(tmp_path / "bin" / "python")})
    lines = preflight.problems([item(ranks=4, threads=2, disk_bytes=2**60)], inventory, 2, tmp_path)
    assert len(lines) == 3
    assert "mpirun is missing" in lines[0]
