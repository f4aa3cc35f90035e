"""The tasks that read results alone: audit and compare, as a person types them."""

import csv
import json

import pytest

from infra.machines import read
from tests.orchestration.support import ROOT, refused
from tests.results.comparison.test_buying import cluster
from tests.results.conftest import SweepMaker
from workload.record.campaign import LEDGER

MEASURED = ROOT / "results" / "measured" / "16-core"


def test_the_published_tables_are_audited(menu):
    done = menu("audit", "--published")
    assert done.returncode == 0, done.stderr
    assert "time below the share of the work" in " ".join(done.stdout.split())
    assert done.stdout.startswith("9 of the 12 published times")
    assert done.stdout.splitlines()[-1] == "findings: 39, of which 4 cannot be"


def test_a_sweep_without_a_finding_that_is_certain_ends_well(menu, tmp_path):
    (tmp_path / "records").mkdir()
    done = menu("audit", "--sweep", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "No run is ok: there is nothing to audit." in done.stdout
    assert done.stdout.endswith("findings: 3, of which 0 cannot be\n")  # no ledger, study and inventory


def test_a_persons_table_is_audited(menu, tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text("ranks,time_s\n1,8\n2,2\n4,0.5\n8,0.1\n")
    done = menu("audit", "--table", str(path))
    assert done.returncode == 1
    assert done.stdout.startswith("theirs.csv cannot be true as it stands: time below the share of the work")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read"), ("a,b\n1,2\n", "lacks the column ranks")])
def test_a_table_that_is_none_is_refused_in_one_line(tmp_path, content, words):
    path = tmp_path / "theirs.csv"
    if content is not None:
        path.write_text(content)
    assert words in refused("audit", "--table", str(path))


@pytest.mark.parametrize("arguments", [["audit", "--sweep", "nowhere"], ["compare", "nowhere", "elsewhere"]])
def test_a_folder_that_is_no_sweep_is_refused_in_one_line(arguments):
    assert "nowhere is no sweep's folder" in refused(*arguments)


def test_a_sweep_is_not_compared_with_itself(tmp_path):
    (tmp_path / "records").mkdir()
    assert "is given twice" in refused("compare", str(tmp_path), str(tmp_path))


def test_the_help_of_compare_needs_no_sweep(menu):
    done = menu("compare", "--help")
    assert done.returncode == 0, done.stderr
    assert "--tolerance" in done.stdout
    assert "exit status 1 where one of its points is slower" in done.stdout
    assert "did not receive required positional arguments" in menu("compare", "a").stderr
    assert "give two sides to compare" in refused("compare", ",", ",")


@pytest.mark.parametrize("tolerance", ["0", "100%", "-3%", "much"])
def test_a_tolerance_that_is_no_percentage_is_refused(tolerance):
    measured = [str(MEASURED / name) for name in ("movements", "movements-forecast")]
    assert "is no percentage between 0 and 100" in refused("compare", *measured, f"--tolerance={tolerance}")


def test_compare_takes_several_sweeps_a_side_and_a_tolerance(menu):
    old, new = (str(MEASURED / name) for name in ("movements", "paper-simd"))
    done = menu("compare", old, f"{new},{MEASURED / 'paper-naive'}", "--tolerance", "3%")
    assert done.returncode == 0, done.stderr
    assert "no point in common" in done.stdout


def test_a_report_of_no_sweep_is_refused(tmp_path):
    assert "is no sweep's folder" in refused("report", "--sweep", str(tmp_path))


def test_a_report_of_an_unknown_cluster_is_refused():
    assert "cluster 'no-such' is unknown" in refused("report", "--cluster", "no-such")


@pytest.fixture
def two_clusters(tmp_path):
    """The arguments that name sweeps on `fat`, of a machine type with a price, and on `own`, which has none."""

    def make_maker(name, **options):
        return SweepMaker(tmp_path / name, **options)

    cluster(make_maker, "fat", 0.01, machine_type="n2-highcpu-16")
    cluster(make_maker, "own", 0.05, nodes=2)
    return ["--sweep", str(tmp_path / "fat"), "--sweep", str(tmp_path / "own")]


@pytest.mark.thorough
def test_the_joint_report_says_which_machines_to_buy(menu, two_clusters, tmp_path):
    limits = ["--deadline", "1s", "--budget-per-run", "1"]
    done = menu("report", *two_clusters, "--price", "own=0.02", *limits, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    out = " ".join(done.stdout.split())
    assert "The cheapest within 1.00 s: own with " in out
    assert "The fastest for at most 1.00 USD a repeat: fat with 2 ranks on 1 node" in out
    assert "Price of own: stated for this comparison, by whoever made it." in out
    assert "Price of fat: infra/machines.toml, machines alone in us-central1: Google's list" in out
    with (tmp_path / "out" / "tables" / "choice.csv").open(newline="") as file:
        rows = {(row["cluster"], row["nodes"]): row for row in csv.DictReader(file)}
    machine = read(ROOT / "infra" / "machines.toml").machines["n2-highcpu-16"]
    fat = rows["fat", "1"]
    for key, rate in (("price", machine.on_demand), ("spot_price", machine.spot)):
        assert float(fat[key]) == pytest.approx(float(fat["total_s"]) / 3600 * rate.amount_per_hour)
    assert float(rows["own", "1"]["price"]) == pytest.approx(float(rows["own", "1"]["total_s"]) / 3600 * 0.01)
    assert rows["own", "1"]["spot_price"] == ""


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--deadline", "soon"], "--deadline 'soon' is no duration: give for example --deadline 2h"),
        (["--budget-per-run", "-1"], "--budget-per-run -1: give an amount above 0"),
        (["--budget-per-run", "nan"], "--budget-per-run nan: give an amount above 0"),
        (["--budget-per-run", "much"], "--budget-per-run 'much' is no amount"),
        (["--price", "own"], "--price 'own' names no cluster and amount an hour: give for example --price lab=1.20"),
        (["--price", "own=-2"], "--price 'own=-2' names no cluster and amount"),
        (["--price", "own=much"], "--price 'much' is no amount"),
        (["--price", "light=1"], "--price light: no sweep here is of that cluster, but of fat, own"),
    ],
)
def test_a_limit_or_a_price_that_is_none_is_refused_in_one_line(two_clusters, flags, words):
    assert words in refused("report", *two_clusters, *flags)


def campaign(folder, *events):
    """A campaign's folder beside its sweeps, with these events in its ledger."""
    folder.mkdir()
    lines = [json.dumps({"schema_version": 1, "utc": f"t{n}", **event}) + "\n" for n, event in enumerate(events)]
    (folder / LEDGER).write_text("".join(lines))
    return str(folder)


PRICE = {"amount_per_hour": 4.0, "currency": "USD", "date": "2026-01-01", "spot": False}
PLANNED = {"event": "planned", "study": "quick", "study_digest": "d", "workload": "w",
           "clusters": ["fat", "own", "c3-highcpu-22x4", "h3-standard-88x1"]}  # fmt: skip
BEGUN = {"event": "begun", "pid": 1, "max_cost": 40.0, "currency": "USD"}


def of_cluster(name, **event):
    return {"cluster": name, **event}


@pytest.mark.thorough
def test_a_campaign_is_reported_with_what_failed_what_was_skipped_and_what_each_cost(menu, two_clusters, tmp_path):
    folder = campaign(
        tmp_path / "campaign-1", PLANNED, BEGUN,
        of_cluster("fat", event="starting", made=True, price=PRICE),
        of_cluster("fat", event="sweeping", sweep="../fat"),
        of_cluster("fat", event="swept", complete=True, outcomes={"ok": 3}),
        of_cluster("fat", event="left", spent=1.25, taken_down=True),
        of_cluster("own", event="starting", made=False, price=None),
        of_cluster("own", event="sweeping", sweep="../own"),
        of_cluster("own", event="swept", complete=True, outcomes={"ok": 6}),
        of_cluster("own", event="left", spent=0.0, taken_down=False),
        of_cluster("c3-highcpu-22x4", event="starting", made=True, price=PRICE),
        of_cluster("c3-highcpu-22x4", event="failed", step="up", reason="the zone has no room"),
        of_cluster("c3-highcpu-22x4", event="left", spent=0.5, taken_down=True),
        of_cluster("h3-standard-88x1", event="skipped", reason="its start alone would cost more than is left"),
        {"event": "ended", "reason": "budget"},
    )  # fmt: skip
    done = menu("report", "--sweep", folder, "--deadline", "1s")
    assert done.returncode == 0, done.stderr
    out = " ".join(done.stdout.split())
    assert "The cheapest within 1.00 s: fat with 2 ranks on 1 node" in out
    assert "c3-highcpu-22x4 failed at up: the zone has no room; 0.500 USD were spent on it." in out
    assert "h3-standard-88x1 was skipped: its start alone would cost more than is left." in out
    assert "1.75 USD were spent, of at most 40.0" in out
    assert "The campaign is not complete: budget." in out
    with (tmp_path / "campaign-1" / "tables" / "campaign.csv").open(newline="") as file:
        spent = {row["cluster"]: (row["state"], float(row["spent"])) for row in csv.DictReader(file)}
    assert spent == {
        "fat": ("swept", 1.25), "own": ("swept", 0.0), "c3-highcpu-22x4": ("failed", 0.5),
        "h3-standard-88x1": ("skipped", 0.0),
    }  # fmt: skip
    assert (tmp_path / "campaign-1" / "report.html").exists()
    assert "is a campaign, which has its own sweeps: name it alone" in refused(
        "report", "--sweep", folder, *two_clusters
    )


def test_a_campaign_without_a_record_or_with_a_torn_ledger_is_refused_in_one_line(tmp_path):
    begun = campaign(tmp_path / "begun", PLANNED, BEGUN)
    assert "no cluster of this campaign has a record yet" in refused("report", "--sweep", begun)
    none = campaign(tmp_path / "none", BEGUN)
    assert "holds no campaign" in refused("report", "--sweep", none)
