"""`fab forecast --clusters` of a person's program: by the law of its sweeps there, or on the same machine type."""

import csv
import math

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from orchestration.tasks import choice
from orchestration.tasks import forecast as forecast_tasks
from tests.orchestration.support import make_inventory
from tests.results.conftest import ProgramSweep
from workload.record.files import write_json

pytestmark = pytest.mark.usefixtures("no_pictures")
STUDY = """
schema_version = 1
name = "heat"
[program]
command = ["./heat", "{n}"]
parameters = { n = 512 }
resolved = { files = "FILES", mpi = "openmpi5", launcher = "" }
[[series]]
name = "strong"
scaling = "strong"
""".replace("FILES", "f" * 64)
FAT, LIGHT = ("n2-highcpu-16", 1, 8), ("e2-medium", 8, 1)  # machine type, nodes, slots of each
METRIC = {"name": "steps", "unit": "", "higher": True, "headline": True, "pattern": "{number}", "file": None,
          "json": None, "csv": None}  # fmt: skip


def inventory(cluster, of_nodes, price=None):
    machine_type, count, slots = of_nodes
    found = make_inventory(slots).model_dump(mode="json", exclude_none=True)
    own = {**found["nodes"][0], **({"machine_type": machine_type} if machine_type else {})}
    nodes = [{**own, "name": f"node{index}", "address": f"10.0.0.{index}"} for index in range(1, count + 1)]
    priced = {"price": {"amount_per_hour": price, "currency": "USD", "date": "2026-01-01"}} if price else {}
    return {**found, **priced, "cluster": cluster, "nodes": nodes}


def law(one_rank_s, ranks, sweep, launch):
    """Amdahl's at 0.95, a few per mille off in each sweep and launch."""
    return one_rank_s * (0.05 + 0.95 / ranks) * math.exp(0.003 * math.sin(7 * sweep + 3 * launch + ranks))


def swept(runs, cluster, of_nodes, one_rank_s, sweeps=3, price=None):
    """So many finished sweeps of the program at six rank counts."""
    _, _, slots = of_nodes
    for number in range(sweeps):
        maker = ProgramSweep(runs / f"heat-{cluster}-{number}", METRIC)
        for launch in range(2):
            for ranks in (1, 2, 3, 4, 6, 8):
                nodes = -(-ranks // slots)
                about = {"nodes": nodes, "ranks_per_node": min(ranks, slots), "launch": launch}
                maker.add(ranks, law(one_rank_s, ranks, number, launch), value=3.0, **about)
        (maker.folder / "study.toml").write_text(STUDY)
        write_json(maker.folder / "inventory.json", inventory(cluster, of_nodes, price))
        (maker.folder / "ledger.jsonl").write_text("")


@pytest.fixture
def choose(tmp_path, monkeypatch, capsys):
    """`fab forecast --clusters` of the program, with sweeps in a folder of this test."""
    monkeypatch.setattr(choice, "RUNS", tmp_path / "runs")
    (tmp_path / "runs").mkdir()

    def run(clusters, **flags):
        given = {"command": "./heat {n}", "parameter": ("n=512",), "metric": ("steps={number}",)} | flags
        given["out"] = str(tmp_path / "out")
        try:
            forecast_tasks.forecast(Context(), clusters=clusters, **given)
        except Exit as exit_:
            return exit_.code, " ".join(capsys.readouterr().out.split()), exit_.message
        return 0, " ".join(capsys.readouterr().out.split()), ""

    return run


def rows(folder):
    with (folder / "choice.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_program_is_forecast_where_it_was_swept_and_refused_by_name_elsewhere(choose, tmp_path):
    swept(tmp_path / "runs", "fat", FAT, 100.0, price=2.0)
    swept(tmp_path / "runs", "light", LIGHT, 200.0, price=0.4)
    code, out, told = choose("fat,light,c3-highcpu-22x2", deadline="30s")
    assert code == 0, told
    found = {row["cluster"]: row for row in rows(tmp_path / "out")}
    assert float(found["fat"]["total_s"]) == pytest.approx(100 * (0.05 + 0.95 / 8), rel=0.02)
    assert float(found["fat"]["total_low_s"]) < float(found["fat"]["total_s"]) < float(found["fat"]["total_high_s"])
    assert float(found["fat"]["price"]) == pytest.approx(float(found["fat"]["total_s"]) * 2.0 / 3600)
    assert {row["ranks"] for row in rows(tmp_path / "out") if row["cluster"] == "light"} == {"8", "1"}
    assert found["fat"]["basis"] == "forecast: law of 3 sweeps"
    assert "The cheapest within 30.0 s: fat with 8 ranks on 1 node, 16.9" in out
    assert "light is too slow: 33.7" in out
    assert (
        "left out c3-highcpu-22x2: no finished sweep of this program on it or on other c3-highcpu-22: from its" in out
    )
    assert "A run of ./heat {n}, n = 512: the wall time of its longest rank" in out
    assert (tmp_path / "out" / "choice-on-demand.svg").exists()


def test_more_nodes_of_the_same_type_are_forecast_from_that_types_sweeps_and_marked(choose, tmp_path):
    swept(tmp_path / "runs", "light", LIGHT, 100.0, price=0.4)
    code, out, told = choose("e2-mediumx16", ranks="1..16")
    assert code == 0, told
    fastest = rows(tmp_path / "out")[0]
    assert (fastest["nodes"], fastest["ranks"]) == ("16", "16")
    assert fastest["basis"] == "forecast: law of 3 sweeps, beyond the measured ranks"
    assert float(fastest["price"]) == pytest.approx(float(fastest["total_s"]) * 16 * 0.05 / 3600)
    assert "from heat-light-2, heat-light-1, heat-light-0, on machines of the same type (light)" in out
    _, _, told = choose("e2-mediumx128", ranks="128")
    assert "all of --ranks are more than 8 times the 8 that earlier sweeps had" in told
    assert choose("e2-mediumx128", ranks="128", extrapolate=True)[0] == 0


def test_what_was_run_on_one_node_alone_says_nothing_of_several(choose, tmp_path):
    swept(tmp_path / "runs", "fat", FAT, 100.0)
    code, out, told = choose("n2-highcpu-16x2")
    assert code == 0, told
    assert {(row["nodes"], row["ranks"]) for row in rows(tmp_path / "out")} == {("1", "8")}
    assert "of one node alone, for they had no run on several" in out
    assert "earlier sweeps ran it on one node alone" in choose("n2-highcpu-16x2", ranks="16")[2]


@pytest.mark.parametrize(
    ("sweeps", "flags", "words"),
    [
        (2, {}, "2 earlier sweeps of this program on this cluster: 3 make a forecast"),
        (3, {"parameter": ("n=1024",)}, "0 earlier sweeps of this program on this cluster: 3 make a forecast"),
        (3, {"command": "./cold {n}"}, "no finished sweep of this program on it or on other n2-highcpu-16"),
        (3, {"parameter": ("n=512,1024",)}, "earlier sweeps of this program"),
        (3, {"scaling": "weak"}, "the study has no strong series"),
        (3, {"ranks": "32"}, "it has 8 slots, fewer than any of --ranks"),
    ],
)
def test_what_nothing_follows_for_is_refused_in_one_line(choose, tmp_path, sweeps, flags, words):
    swept(tmp_path / "runs", "fat", FAT, 100.0, sweeps=sweeps)
    code, _, told = choose("fat", **flags)
    assert code == 2
    assert words in told
    assert "\n" not in told


def test_without_prices_the_fastest_alone_is_named(choose, tmp_path):
    swept(tmp_path / "runs", "local", (None, 1, 8), 100.0)
    code, out, told = choose("local")
    assert code == 0, told
    assert "None of them has a price: no cheapest can be named." in out
    assert "The fastest: local with 8 ranks on 1 node" in out
