"""The tasks that read results alone: audit and compare, as a person types them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.orchestration.support import ROOT

FAB = Path(sys.executable).parent / "fab"


def fab(*arguments):
    return subprocess.run([str(FAB), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_the_published_tables_are_audited():
    done = fab("audit", "--published")
    assert done.returncode == 0, done.stderr
    assert "time below the share of the work" in " ".join(done.stdout.split())
    assert int(done.stdout.rsplit("findings: ", 1)[1]) > 30


def test_a_sweep_without_a_finding_ends_well(tmp_path):
    (tmp_path / "records").mkdir()
    done = fab("audit", "--sweep", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "No run is ok: there is nothing to audit." in done.stdout
    assert done.stdout.endswith("findings: 0\n")


@pytest.mark.parametrize("arguments", [["audit", "--sweep", "nowhere"], ["compare", "nowhere", "elsewhere"]])
def test_a_folder_that_is_no_sweep_is_refused_in_one_line(arguments):
    done = fab(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "nowhere is no sweep's folder" in done.stderr


def test_a_sweep_is_not_compared_with_itself(tmp_path):
    (tmp_path / "records").mkdir()
    done = fab("compare", str(tmp_path), str(tmp_path))
    assert done.returncode == 2
    assert "is given twice" in done.stderr


def test_a_cluster_that_was_never_probed_is_refused(tmp_path):
    (tmp_path / "inventory.json").write_text("{}")
    done = fab("forecast", "--cluster", str(tmp_path / "inventory.json"))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("ranks", ["x", "0..4"])
def test_rank_counts_that_are_none_are_refused(ranks):
    done = fab("forecast", "--ranks", ranks)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
