"""The forecast of a program: from the law of its earlier sweeps in results/runs, in the ledger and in the report."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestration.support import FAB, copy_checkout, make_inventory
from tests.preloaded import Preloader
from workload.record.files import write_json

pytestmark = pytest.mark.thorough

# rank 0 tells a time by Amdahl's law at 0.95, a few per mille off
PROGRAM = """
[ "$OMPI_COMM_WORLD_RANK" = 0 ] || exit 0
awk -v n="$1" -v noise="$(date +%N)" 'BEGIN { printf "Elapsed: %.6f\\n", (10 + noise / 1e11) * (0.05 + 0.95 / n) }'
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path / "checkout", "canary", "report")


@pytest.fixture
def preloader(checkout: Path) -> Iterator[Preloader]:
    """Of the copy."""
    made = Preloader(checkout)
    yield made
    made.close()


def test_three_sweeps_foretell_the_fourth(tmp_path: Path, checkout: Path, preloader: Preloader) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "law.sh").write_text(PROGRAM)
    write_json(mine / "inventory.json", make_inventory(8).model_dump(mode="json", exclude_none=True))

    def fab(task: str, *flags: str, status: int = 0) -> str:
        words = ["--cluster", "inventory.json", "--command", "sh law.sh {ranks}", "--mpi", "openmpi5"]
        return type_(task, *words, "--metric", "time_s=Elapsed: {number}", *flags, status=status)

    def type_(*words: str, status: int = 0) -> str:
        words = ("--search-root", str(checkout), *words)
        process = preloader.start(FAB, words, {**os.environ, "COLUMNS": "200"}, mine)
        said = "".join(process.communicate(timeout=600))
        assert process.returncode == status, said
        return said

    def sweep(*flags: str) -> str:
        return fab("sweep", "--launches", "1", *flags)

    for number in range(3):
        told = f"no forecast: {number} earlier sweep{'s' * (number != 1)} of this program on this cluster: "
        if number == 2:
            assert fab("forecast", status=2) == f"convscale: {told}3 make a forecast\n"
        said = sweep("--new", "--ranks", "1,2,3,4,5,6")
        assert f"{told}3 make a forecast" in said

    said = fab("forecast", "--ranks", "1,8,16", "--out", "foretold", "--sweep", str(checkout / "results/runs/latest"))
    rows = {row[2].strip(): row for row in (line.split("│") for line in said.splitlines()) if len(row) > 5}
    assert 1.6 < float(rows["8"][5]) < 1.8
    assert "beyond the measured ranks" in rows["8"][8]
    assert "Beside 1 measured point: median error" in said
    assert "best: sh-" in said
    made = {path.name for path in (mine / "foretold").iterdir()}
    assert {"forecast.csv", "forecast.md", "forecast-strong.svg", "forecast-strong.csv"} <= made
    said = fab("forecast", "--ranks", "64", status=2)
    assert "64 ranks are more than 8 times the 6 that earlier sweeps had" in said
    assert fab("forecast", "--ranks", "64", "--extrapolate")

    listed = sweep("--dry-run", "--new", "--ranks", "2,8")
    (row,) = [line.split("│") for line in listed.splitlines() if "sh law.sh 8" in line]
    assert 1.6 < float(row[-3]) < 1.8  # 10 (0.05 + 0.95 / 8) = 1.69

    said = sweep("--new", "--ranks", "1,4,7")
    assert "no forecast" not in said
    latest = (checkout / "results" / "runs" / "latest").resolve()
    (event,) = [
        found
        for line in (latest / "ledger.jsonl").read_text().splitlines()
        if (found := json.loads(line))["event"] == "forecast"
    ]
    assert len(event["earlier"]) == 3
    assert event["residuals"] == 18
    for entry in event["forecasts"].values():
        assert entry["law"] in ("Amdahl", "USL")
        assert entry["interval_s"][0] < entry["headline_s"] < entry["interval_s"][1]
    type_("report", "--sweep", str(latest))
    (table,) = (latest / "tables").glob("*foretold*.md")
    text = table.read_text()
    assert "of 3 earlier sweeps: " in text
    assert "| Forecast (s) | Interval (s) | Measured time_s (s) |" in text
    assert "probe" not in text
