import pytest

from orchestration.layout import folded, lay_out

COLUMNS = ("Ranks", "Movement", "Batch", "Forward time (s)", "Images/s", "Relative speedup", "Absolute speedup")
ROWS = [
    ("1", "scatter-gather", "40", "0.06638 [0.06601, 0.06675]", "602.6", "1.00", "0.455 (0.441 to 0.470)"),
    ("16", "scatter-gather", "40", "0.01360 [0.01342, 0.01378]", "2941", "4.88 (4.79 to 4.97)", "none (no baseline)"),
]


def test_a_table_that_fits_is_one():
    layout = lay_out(COLUMNS, ROWS, 200)
    assert (layout.same, len(layout.parts)) == ("", 1)
    assert layout.parts[0].columns == COLUMNS


@pytest.mark.parametrize("room", [20, 30, 40, 60, 72, 80, 100, 120, 160])
def test_no_number_is_lost_in_any_width(room):
    layout = lay_out(COLUMNS, ROWS, room)
    said = " ".join([layout.same, *layout.lines])
    for part in layout.parts:
        assert sum(part.widths) + 3 * len(part.widths) + 1 <= room
        for row in part.rows:
            lines = [folded(text, width).splitlines() for text, width in zip(row, part.widths, strict=True)]
            for cell, width in zip(lines, part.widths, strict=True):
                assert all(len(word) <= width for line in cell for word in line.split())
            said += " ".join(word for cell in lines for word in cell) + " "
    for text in {word for row in ROWS for cell in row for word in cell.split()}:
        assert text in said


def test_at_80_columns_what_every_row_has_stands_once_and_intervals_stay_whole():
    layout = lay_out(COLUMNS, ROWS, 80)
    assert layout.same == "In every row: Movement scatter-gather, Batch 40"
    assert all(part.columns[0] == "Ranks" for part in layout.parts)
    for part in layout.parts:
        for row in part.rows:
            for text, width in zip(row, part.widths, strict=True):
                if "[" in text:
                    assert any("[" in line and "]" in line for line in folded(text, width).splitlines())


def test_a_narrow_terminal_gets_a_block_a_row():
    layout = lay_out(COLUMNS, ROWS, 24)
    assert not layout.parts
    assert layout.lines[0].split() == ["Ranks", "1"]


@pytest.mark.parametrize(("columns", "rows"), [(("a",), []), (("a", "b"), []), (("a",), [("x" * 100,)])])
def test_odd_tables(columns, rows):
    layout = lay_out(columns, rows, 20)
    assert layout.parts or layout.lines
