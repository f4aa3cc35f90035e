"""What is forecast of a sweep's runs, and what a forecast that cannot be made does to the sweep: nothing."""

import json
from types import SimpleNamespace

import pytest

from orchestration.errors import Refusal
from orchestration.experiments.convolution.experiment import Convolution
from orchestration.forecast import probe
from orchestration.forecast.sweep import forecast_sweep
from orchestration.provision.providers import clusters_of
from results.forecast import accuracy
from tests.orchestration.support import ROOT
from tests.results.conftest import SweepMaker
from tests.results.forecast.convolution.test_probe import DOCUMENT
from workload.record.files import write_json


@pytest.fixture
def cluster(tmp_path):
    """The path of an inventory with a probe beside it."""
    write_json(tmp_path / "probe.json", DOCUMENT)
    return tmp_path / "inventory.json"


def prepared(cluster, runs):
    items = [SimpleNamespace(run=run, repeats=run.warmups + run.repeats) for run in runs]
    return SimpleNamespace(
        experiment=Convolution(),
        loaded=None,
        request=SimpleNamespace(cluster=str(cluster)),
        surroundings=SimpleNamespace(root=ROOT, clusters=clusters_of(ROOT, {})),
        plan=SimpleNamespace(runs=items),
        is_own=lambda _: True,
    )


def test_a_sweep_forecasts_each_of_its_runs(cluster, tmp_path):
    maker = SweepMaker(tmp_path / "sweep")
    runs = [maker.run(ranks=ranks, backend="simd") for ranks in (1, 2)] + [maker.run(movement="replica")]
    found = forecast_sweep(prepared(cluster, runs))
    assert found.why == ""
    assert list(found.values["forecasts"]) == [run.run_id for run in runs[:2]]
    assert list(found.values["left_out"]) == [runs[2].run_id]
    assert found.forward_s(runs[0].run_id) > 0.0
    assert found.forward_s(runs[2].run_id) is None
    assert found.values["residuals"] == 0


def test_a_cluster_that_was_never_probed_has_no_forecast(cluster):
    cluster.with_name("probe.json").unlink()
    found = forecast_sweep(prepared(cluster, []))
    assert found.values is None
    assert "no forecast: 'fab probe" in found.why
    assert found.forward_s("a" * 16) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 1, "kind": "probe"}', '{"schema_version": 9}'])
@pytest.mark.parametrize("name", ["probe.json", "residuals.json"])
def test_a_damaged_probe_is_said_and_stops_no_sweep(cluster, tmp_path, name, content):
    cluster.with_name(name).write_text(content)
    run = SweepMaker(tmp_path / "sweep").run(ranks=2, backend="simd")
    found = forecast_sweep(prepared(cluster, [run]))
    assert found.values is None
    assert found.why.startswith("no forecast: ")
    assert "\n" not in found.why
    assert found.takes_s() > 0.0


def test_how_far_off_a_sweep_was_gives_the_next_its_interval(cluster, tmp_path):
    maker = SweepMaker(tmp_path / "sweep")
    maker.add_strong(counts=(1, 2, 4, 8), backend="simd")
    maker.add_weak(counts=(2,), backend="simd")
    folder = maker.finish()
    runs = [maker.run(ranks=ranks, launch=launch, backend="simd") for ranks in (1, 2, 4, 8) for launch in range(3)]
    runs += [maker.run(ranks=2, batch=8, launch=launch, backend="simd") for launch in range(3)]
    found = forecast_sweep(prepared(cluster, runs))
    (folder / "ledger.jsonl").write_text(
        json.dumps({"schema_version": 1, "event": accuracy.EVENT, **found.values}) + "\n"
    )
    assert found.keep(folder) == ""
    kept = json.loads(cluster.with_name("residuals.json").read_text())["sweeps"]["sweep"]
    assert sorted(ranks for ranks, _ in kept) == [1, 2, 2, 4, 8]
    assert forecast_sweep(prepared(cluster, runs)).values["residuals"] == 0, "one sweep says nothing of the next"
    for name in ("sweep-2", "sweep-3"):
        found.keep(folder.rename(tmp_path / name))
        folder = tmp_path / name
    following = forecast_sweep(prepared(cluster, runs)).values
    assert following["residuals"] == 15
    for entry in following["forecasts"].values():
        low, high = entry["interval_s"]
        assert 0.0 < low < high
    found.keep(folder)
    assert len(json.loads(cluster.with_name("residuals.json").read_text())["sweeps"]) == 3, "told once"
    cluster.with_name("residuals.json").write_text("{")
    assert "is not kept: " in found.keep(folder)


def test_residuals_that_cannot_be_written_are_said(cluster, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(probe, "write_json", full)
    with pytest.raises(Refusal, match="cannot be written"):
        probe.keep_residuals(str(cluster), tmp_path, {})
