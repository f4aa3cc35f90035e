"""The forecast of a program: from the law of its earlier sweeps in results/runs, in the ledger and in the report."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.orchestration.support import FAB, copy_checkout, make_inventory
from workload.record.files import write_json

pytestmark = pytest.mark.thorough

# rank 0 tells a time by Amdahl's law at 0.95, a few per mille off
PROGRAM = """
[ "$OMPI_COMM_WORLD_RANK" = 0 ] || exit 0
awk -v n="$1" -v noise="$(date +%N)" 'BEGIN { printf "Elapsed: %.6f\\n", (10 + noise / 1e11) * (0.05 + 0.95 / n) }'
"""


def test_three_sweeps_foretell_the_fourth(tmp_path: Path) -> None:
    checkout, mine = copy_checkout(tmp_path / "checkout"), tmp_path / "mine"
    mine.mkdir()
    (mine / "law.sh").write_text(PROGRAM)
    write_json(mine / "inventory.json", make_inventory(8).model_dump(mode="json", exclude_none=True))

    def sweep(*flags: str) -> str:
        words = [str(FAB), "--search-root", str(checkout), "sweep", "--cluster", "inventory.json", "--launches", "1"]
        words += ["--command", "sh law.sh {ranks}", "--mpi", "openmpi5", "--metric", "time_s=Elapsed: {number}", *flags]
        done = subprocess.run(
            words,
            cwd=mine,
            env={**os.environ, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for number in range(3):
        said = sweep("--new", "--ranks", "1,2,3,4,5,6")
        told = f"no forecast: {number} earlier sweep{'s' * (number != 1)} of this program on this cluster: "
        assert f"{told}3 make a forecast" in said

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
    (table,) = (latest / "tables").glob("*foretold*.md")
    text = table.read_text()
    assert "of 3 earlier sweeps: " in text
    assert "| Forecast (s) | Interval (s) | Measured time_s (s) |" in text
    assert "probe" not in text
