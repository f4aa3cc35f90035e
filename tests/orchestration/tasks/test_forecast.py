"""`fab forecast` as a person types it."""

from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from orchestration.forecast import probe
from orchestration.tasks import forecast as forecast_tasks
from orchestration.tasks import known
from tests.orchestration.forecast.test_datasheet import MEASURED
from tests.orchestration.support import make_inventory, refused
from tests.results.forecast.convolution.test_probe import DOCUMENT
from workload.record.files import write_json


@pytest.fixture
def cluster(tmp_path):
    """The path of an inventory of 8 slots with a probe beside it."""
    write_json(tmp_path / "inventory.json", make_inventory(8).model_dump(mode="json", exclude_none=True))
    write_json(tmp_path / "probe.json", DOCUMENT)
    return tmp_path / "inventory.json"


@pytest.fixture
def forecast(cluster, capsys):
    """`fab forecast` with these flags: exit status, what it prints, and why it refuses."""

    def run(**flags):
        given = {"cluster": str(cluster), "study": "quick", "backend": "simd", "ranks": "1,2"}
        try:
            forecast_tasks.forecast(Context(), (), (), **given | {name: str(value) for name, value in flags.items()})
        except Exit as exit_:
            return exit_.code, capsys.readouterr().out, exit_.message
        return 0, capsys.readouterr().out, ""

    return run


@pytest.mark.usefixtures("no_pictures")
def test_it_says_where_scaling_stops_and_writes_what_it_says(forecast, tmp_path):
    code, out, _ = forecast(ranks="1..32", out=tmp_path / "out")
    assert code == 0
    told = " ".join(out.split())
    assert "strong, scatter-gather with simd: throughput" in told
    assert "32 ranks left out" in told
    assert "No price: the inventory names none." in told
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"forecast.csv", "forecast.md", "forecast-strong.svg", "forecast-weak.png"} <= made
    assert "far beyond the probe" in (tmp_path / "out" / "forecast.csv").read_text()


def test_beyond_eight_times_the_probed_ranks_it_has_to_be_asked_for(forecast):
    code, _, words = forecast(ranks="1,128", series="weak")
    assert code == 2
    assert "128 ranks are more than 8 times the 8 that were probed" in words
    assert "give --extrapolate" in words
    assert forecast(ranks="1,128", series="weak", extrapolate=True)[0] == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"ranks": "x"}, "is no list of rank counts"),
        ({"series": "none"}, "none"),
        ({"movement": "none"}, "none"),
        ({"backend": "none"}, "none"),
        ({"study": "none"}, "none"),
        ({"sweep": "nowhere"}, "nowhere is no sweep's folder"),
        ({"backend": "naive"}, "no rate of backend naive: it has simd"),
    ],
)
def test_what_cannot_be_forecast_is_refused_in_one_line(forecast, flags, words):
    code, _, told = forecast(**flags)
    assert code == 2
    assert words in told
    assert "\n" not in told


def test_a_folder_that_cannot_be_written_is_refused(forecast, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, told = forecast(out=tmp_path / "file" / "out")
    assert (code, "give another --out" in told) == (2, True)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 1, "kind": "probe"}', '{"schema_version": 9}'])
def test_a_damaged_probe_is_refused_with_its_remedy(forecast, cluster, content):
    cluster.with_name("probe.json").write_text(content)
    code, _, told = forecast()
    assert code == 2
    assert "fab probe" in told or "schema_version" in told


@pytest.mark.parametrize("content", ["", "{", '{"schema_version": 1}', '{"schema_version": 1, "sweeps": {"a": [1]}}'])
def test_damaged_residuals_are_refused_with_their_remedy(forecast, cluster, content):
    cluster.with_name("residuals.json").write_text(content)
    code, _, told = forecast()
    assert code == 2
    assert "sweep makes another" in told


def test_rank_counts_from_none_are_refused(cluster):
    refused("forecast", "--cluster", str(cluster), "--ranks", "0..4")


def test_a_cluster_that_was_never_probed_is_refused(tmp_path):
    (tmp_path / "inventory.json").write_text("{}")
    refused("forecast", "--cluster", str(tmp_path / "inventory.json"))


@pytest.mark.parametrize("ranks", ["x", "0..4"])
def test_rank_counts_that_are_none_are_refused(ranks):
    refused("forecast", "--ranks", ranks)


def test_a_cluster_that_is_only_described_is_forecast_from_stated_figures(monkeypatch):
    monkeypatch.setattr(probe, "path_of", lambda cluster, _root: Path("/nowhere") / cluster / "probe.json")
    monkeypatch.setattr(probe, "read", lambda _cluster, _root: MEASURED)
    found = known.known("light")
    assert found.stated
    assert len(found.inventory.nodes) == 8
    assert found.probe["ranks"] == 8
    assert any("Nobody has measured light" in note for note in found.notes)


def test_a_program_without_earlier_sweeps_is_refused_in_one_line(tmp_path):
    inventory = tmp_path / "inventory.json"
    write_json(inventory, make_inventory(2).model_dump(mode="json", exclude_none=True))
    line = refused("forecast", "--cluster", str(inventory), "--command", "true", "--mpi", "openmpi5")
    assert line == "convscale: no forecast: 0 earlier sweeps of this program on this cluster: 3 make a forecast\n"


def test_flags_of_the_convolution_are_refused_for_a_program():
    line = refused("forecast", "--command", "true", "--movement", "tree")
    assert "--movement: study --command is of a program, which has none" in line


# Several clusters


@pytest.fixture
def choose(monkeypatch, capsys):
    """`fab forecast --clusters`, with this machine's probe as it might be and no cluster probed."""
    monkeypatch.setattr(probe, "path_of", lambda cluster, _root: Path("/nowhere") / cluster / "probe.json")
    monkeypatch.setattr(probe, "read", lambda _cluster, _root: MEASURED)

    def run(clusters, **flags):
        given = {"study": "quick", "series": "strong", "backend": "simd", "movement": "scatter-gather"} | flags
        try:
            forecast_tasks.forecast(Context(), (), (), clusters=clusters, **given)
        except Exit as exit_:
            return exit_.code, " ".join(capsys.readouterr().out.split()), exit_.message
        return 0, " ".join(capsys.readouterr().out.split()), ""

    return run


@pytest.mark.usefixtures("no_pictures")
def test_several_clusters_are_compared_before_any_is_up(choose):
    code, out, _ = choose("c3-highcpu-22x2,h3-standard-88x1,light,h4d-standard-192x1", deadline="0.1s")
    assert code == 0
    assert "The cheapest within 0.100 s: " in out
    assert "The fastest: " in out
    assert "light is too slow" in out
    assert "Nobody has measured h3-standard-88x1: these are stated figures of h3-standard-88" in out
    assert "Google's list by gcloud-compute.com (Cyclenerd) (2026-07-30)" in out
    assert "h4d-standard-192" in out


def test_the_choice_is_drawn_dashed_with_what_it_rests_on(choose, tmp_path):
    code, _, _ = choose("c3-highcpu-22x2,h3-standard-88x1,light", deadline="0.1s", out=str(tmp_path))
    assert code == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"choice.csv", "choice.md", "choice-on-demand.svg", "choice-on-demand.csv", "choice-spot.png"} <= names
    drawn = (tmp_path / "choice-on-demand.svg").read_text()
    assert "stroke-dasharray" in drawn
    assert ", forecast: stated figures</title>" in drawn
    assert "measured" not in (tmp_path / "choice-on-demand.csv").read_text()


@pytest.mark.parametrize(
    ("clusters", "flags", "words"),
    [
        ("c3-highcpu-23x2,light", {}, "machine type 'c3-highcpu-23' is not described"),
        ("light,fat,light", {}, "--clusters has light twice: name each once"),
        ("light,nowhere", {}, "nowhere"),
        ("", {"deadline": "2h"}, "give --clusters"),
        ("light", {"deadline": "soon"}, "--deadline 'soon' is no duration"),
        ("light", {"budget_per_run": "-1"}, "--budget-per-run -1: give an amount above 0"),
        ("light", {"cluster": "fat"}, "--cluster is of one cluster"),
        ("light", {"out": "/dev/null/here"}, "/dev/null/here: Not a directory: give another --out"),
        ("light", {"series": "weak"}, "the study has no strong series"),
        ("light", {"ranks": "0"}, "is no list of rank counts"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(choose, clusters, flags, words):
    code, _, told = choose(clusters, **flags)
    assert code == 2
    assert words in told
    assert "\n" not in told


def test_a_cluster_that_cannot_be_forecast_is_left_out_with_the_reason(choose):
    code, out, _ = choose("light,compose-light")
    assert code == 0
    assert "left out compose-light: cluster compose-light is not up" in out
