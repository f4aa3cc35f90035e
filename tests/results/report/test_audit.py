from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from results.records.sweep import SweepError
from results.report import audit


def test_a_sweep_is_audited_and_its_table_written(full: Any, tmp_path: Path) -> None:
    made = audit.make([full.folder], published=False, out=tmp_path / "audit")
    assert made.findings == 0
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {"audit-sweep.md", "audit-sweep.csv"}


def test_the_published_tables_need_no_sweep(tmp_path: Path) -> None:
    made = audit.make([], published=True, out=tmp_path)
    assert made.findings > 30
    assert len(made.tables) == 7
    assert (tmp_path / "audit-published.md").read_text().startswith("# Audit")


def test_a_bad_record_is_named(full: Any) -> None:
    path = sorted((full.folder / "records").glob("*.json"))[0]
    path.write_text("{")
    (problem,) = audit.make([full.folder], published=False).problems
    assert path.name in problem


def test_nothing_to_audit_is_refused() -> None:
    with pytest.raises(SweepError, match="nothing to audit"):
        audit.make([], published=False)


def test_an_unwritable_place_is_refused(full: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SweepError, match="cannot be written"):
        audit.make([full.folder], published=False, out=tmp_path / "file" / "out")
