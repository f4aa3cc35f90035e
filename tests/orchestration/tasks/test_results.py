"""The tasks that read results alone: audit and compare, as a person types them."""

import pytest

from tests.orchestration.support import fab, refused


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
    assert "nowhere is no sweep's folder" in refused(*arguments)


def test_a_sweep_is_not_compared_with_itself(tmp_path):
    (tmp_path / "records").mkdir()
    assert "is given twice" in refused("compare", str(tmp_path), str(tmp_path))


def test_a_report_of_no_sweep_is_refused(tmp_path):
    assert "is no sweep's folder" in refused("report", "--sweep", str(tmp_path))


def test_a_report_of_an_unknown_cluster_is_refused():
    assert "cluster 'no-such' is unknown" in refused("report", "--cluster", "no-such")
