"""`fab forecast` as a person types it, and what a sweep writes down of what lies ahead."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from orchestration import forecast_tasks, probe
from orchestration.refusal import Refusal
from results import foretold
from tests.orchestration.support import ROOT, make_inventory
from tests.orchestration.test_stated import MEASURED
from tests.results.conftest import SweepMaker
from tests.results.test_probe import DOCUMENT
from workload.record import write_json

FAB = Path(sys.executable).parent / "fab"


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
            forecast_tasks.forecast(Context(), **given | {name: str(value) for name, value in flags.items()})
        except Exit as exit_:
            return exit_.code, capsys.readouterr().out, exit_.message
        return 0, capsys.readouterr().out, ""

    return run


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
    assert "remove it, the next sweep makes another" in told


def test_the_task_is_on_the_menu_and_refuses_in_one_line(cluster):
    command = [str(FAB), "forecast", "--cluster", str(cluster), "--ranks", "0..4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_cluster_that_is_only_described_is_forecast_from_stated_figures(monkeypatch):
    monkeypatch.setattr(probe, "path_of", lambda cluster, _root: Path("/nowhere") / cluster / "probe.json")
    monkeypatch.setattr(probe, "read", lambda _cluster, _root: MEASURED)
    inventory, document, notes, stated = forecast_tasks._known("light")
    assert stated
    assert len(inventory.nodes) == 8
    assert document["ranks"] == 8
    assert any("Nobody has measured light" in note for note in notes)


def prepared(cluster, runs):
    items = [SimpleNamespace(run=run) for run in runs]
    return SimpleNamespace(request=SimpleNamespace(cluster=str(cluster)), plan=SimpleNamespace(runs=items))


def test_a_sweep_forecasts_each_of_its_runs(cluster, tmp_path):
    maker = SweepMaker(tmp_path / "sweep")
    runs = [maker.run(ranks=ranks, backend="simd") for ranks in (1, 2)] + [maker.run(movement="replica")]
    event = forecast_tasks.of_sweep(prepared(cluster, runs))
    assert list(event["forecasts"]) == [run.run_id for run in runs[:2]]
    assert list(event["left_out"]) == [runs[2].run_id]
    assert forecast_tasks.forward_s(event, runs[0].run_id) > 0.0
    assert forecast_tasks.forward_s(event, runs[2].run_id) is None
    assert event["residuals"] == 0


def test_a_cluster_that_was_never_probed_has_no_forecast(cluster):
    cluster.with_name("probe.json").unlink()
    assert forecast_tasks.of_sweep(prepared(cluster, [])) is None
    assert forecast_tasks.forward_s(None, "a" * 16) is None


def test_how_far_off_a_sweep_was_gives_the_next_its_interval(cluster, tmp_path):
    maker = SweepMaker(tmp_path / "sweep")
    maker.add_strong(counts=(1, 2, 4, 8), backend="simd")
    maker.add_weak(counts=(2,), backend="simd")
    folder = maker.finish()
    runs = [maker.run(ranks=ranks, launch=launch, backend="simd") for ranks in (1, 2, 4, 8) for launch in range(3)]
    runs += [maker.run(ranks=2, batch=8, launch=launch, backend="simd") for launch in range(3)]
    sweep = prepared(cluster, runs)
    event = forecast_tasks.of_sweep(sweep)
    (folder / "ledger.jsonl").write_text(json.dumps({"event": foretold.EVENT, **event}) + "\n")
    forecast_tasks.keep(sweep, folder)
    kept = json.loads(cluster.with_name("residuals.json").read_text())["sweeps"]["sweep"]
    assert sorted(ranks for ranks, _ in kept) == [1, 2, 2, 4, 8]
    following = forecast_tasks.of_sweep(sweep)
    assert following["residuals"] == 5
    for entry in following["forecasts"].values():
        low, high = entry["interval_s"]
        assert 0.0 < low < high
    forecast_tasks.keep(sweep, folder)
    assert len(json.loads(cluster.with_name("residuals.json").read_text())["sweeps"]) == 1, "told once"


def test_residuals_that_cannot_be_written_are_said(cluster, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(probe, "write_json", full)
    with pytest.raises(Refusal, match="cannot be written"):
        probe.keep_residuals(str(cluster), tmp_path, {})
