from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from results.records.sweep import SweepError
from results.report import audit


def test_a_sweep_is_audited_and_its_table_written(full: Any, tmp_path: Path) -> None:
    made = audit.make([full.folder], published=False, out=tmp_path / "audit")
    assert (made.findings, made.certain) == (0, 0)
    (sentence,) = made.verdict
    assert sentence.startswith("sweep: nothing is found that cannot be true (")
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {"audit-sweep.md", "audit-sweep.csv"}


def test_the_published_tables_need_no_sweep(tmp_path: Path) -> None:
    made = audit.make([], published=True, out=tmp_path)
    assert made.findings > 30
    assert 0 < made.certain < 10
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


def test_the_published_audit_begins_with_its_verdict_in_three_sentences() -> None:
    made = audit.make([], published=True)
    times, instead, left = made.verdict
    assert times.startswith("9 of the 12 published times on several ranks are shorter than the work left to each rank")
    assert "the times fit floor(floor(B/N)/N) images a rank within 0.6 %" in instead
    assert "the memory of all 8 runs fits it within 5.9 MiB" in instead
    assert "commit 3dc1f3b) divides it twice" in instead
    assert left.endswith("7 things that it does not account for stand below as unexplained.")


def test_a_persons_table_is_audited(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("ranks,time_s\n1,44.02\n2,11.10\n4,3.04\n8,0.88\n")
    made = audit.make([], published=False, table=path, out=tmp_path / "audit")
    assert made.certain == 1
    assert made.verdict[0].startswith("theirs.csv cannot be true as it stands: time below the share of the work (")
    assert made.verdict[1].startswith("theirs.csv is suspicious: ")
    assert {path.name for path in (tmp_path / "audit").iterdir()} == {"audit-theirs-csv.md", "audit-theirs-csv.csv"}


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"ranks\n"])
def test_a_table_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "theirs.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SweepError, match=r"theirs\.csv") as error:
        audit.make([], published=False, table=path)
    assert len(str(error.value).splitlines()) == 1


def test_a_table_of_gigabytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "LARGEST_TABLE", 10)
    path = tmp_path / "theirs.csv"
    path.write_text("ranks,time_s\n1,2\n")
    with pytest.raises(SweepError, match="larger than"):
        audit.make([], published=False, table=path)
