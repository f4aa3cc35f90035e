from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from results.estimates import INTERVAL, Estimate
from results.table import TEXT_ROWS, Table, bounded, build, csv_text, hidden, markdown, plain, shown

NASTY = "<script>alert(1)</script> | a\nb `c` [d](e) _f_ *g* \\"


def table(cell: str) -> Table:
    columns = [
        plain("Name", "name", lambda item: item),
        shown("Length (m)", "length_m", lambda item: len(str(item)), lambda item: f"{len(str(item))} m"),
        hidden("run_ids", lambda _: "r1 r2"),
    ]
    return build("Title", columns, [cell], notes=[cell], name="t")


def test_a_hidden_column_is_in_the_csv_alone() -> None:
    found = table("x")
    assert found.columns == ("Name", "Length (m)")
    assert found.rows == (("x", "1 m"),)
    (row,) = csv.DictReader(io.StringIO(csv_text(found)))
    assert row == {"name": "x", "length_m": "1", "run_ids": "r1 r2"}


@given(st.one_of(st.just(NASTY), st.text()))
def test_markdown_stays_one_table_without_markup(cell: str) -> None:
    lines = markdown(table(cell)).split("\n")
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == 3
    assert all(line.count("|") == 3 for line in rows)
    assert "<" not in "".join(lines)


def test_the_csv_starts_no_formula() -> None:
    for cell in ("=1+1", "+1", "-1", "@x", "\t=1"):
        (row,) = csv.DictReader(io.StringIO(csv_text(table(cell))))
        assert row["name"] == "'" + cell


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="=+-@\t\r\n")))
def test_the_csv_gives_text_back(cell: str) -> None:
    (row,) = csv.DictReader(io.StringIO(csv_text(table(cell)), newline=""))
    assert row["name"] == cell


def test_an_estimate_has_its_bounds_in_columns_of_their_own() -> None:
    found = bounded("time", "_s", Estimate(2.0, 1.0, 3.0, INTERVAL, 3))
    assert found == {"time_s": 2.0, "time_low_s": 1.0, "time_high_s": 3.0, "time_bounds": "interval"}
    assert set(bounded("time", "_s", None)) == set(found)


def test_a_table_without_rows_is_still_a_table() -> None:
    empty = build("Title", [plain("A", "a", str)], [])
    assert csv_text(empty) == "A\r\n"
    assert "| A |" in markdown(empty)


def test_a_long_table_is_cut_as_text_and_whole_as_csv() -> None:
    numbers = [plain("Number", "number", int)]
    whole = build("Numbers", numbers, range(TEXT_ROWS), name="numbers")
    assert whole.notes == ()
    longer = build("Numbers", numbers, range(TEXT_ROWS + 1), name="numbers", notes=["A note."])
    text = markdown(longer)
    assert f"| {TEXT_ROWS - 1} |" in text
    assert f"| {TEXT_ROWS} |" not in text
    cut = f"As text the table has the first {TEXT_ROWS} of {TEXT_ROWS + 1} rows; numbers.csv has all of them."
    assert text.endswith(f"- A note.\n- {cut}\n")
    assert csv_text(longer).splitlines() == ["number", *map(str, range(TEXT_ROWS + 1))]
