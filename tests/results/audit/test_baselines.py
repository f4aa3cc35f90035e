"""Where a sweep ran: a program brings its own MPI, and nothing else of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from results.audit.baselines import elsewhere
from tests.results.conftest import DIGEST, ProgramSweep


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"mpi": "Open MPI v5.0.11"}, ""),
        ({"cpu_model": "Another CPU"}, "cpu_model of node1 was 'Synthetic CPU', that of the sweep is 'Another CPU'"),
        ({"kernel": "6.2"}, "kernel of node1 was '6.1', that of the sweep is '6.2'"),
    ],
)
def test_a_programs_own_mpi_is_no_other_machine(tmp_path: Path, facts: dict[str, Any], words: str) -> None:
    maker = ProgramSweep(tmp_path)
    maker.add(1, 1.0)
    known = {"cpu_model": "Synthetic CPU", "kernel": "6.1", "boot_id": "boot-1", **facts}
    planned = {"event": "planned", "schema_version": 1, "utc": "2026-01-01T00:00:00+00:00", "workload": DIGEST,
               "facts": {f"node1.{key}": value for key, value in known.items()}}  # fmt: skip
    (tmp_path / "ledger.jsonl").write_text(json.dumps(planned) + "\n")
    assert [case.words for case in elsewhere(maker.read())] == ["", words]
