"""Tables as LaTeX: whatever a record says is text, and what comes out is a table."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.fitting import LONG_CELL, MOST_LINES, MOST_TURNED, WIDEST_PT, parts, width_pt
from results.latex import escaped, latex
from results.table import Table

HOSTILE = r"\input{/etc/passwd} a_b & 50% {x} $y$ #1 ~ ^ <script> | --flag ”“ 日本 é \\"
NAMES = "textbackslash textasciitilde textasciicircum textless textgreater textbar textasciigrave textemdash ldots"
ESCAPED = re.compile(rf"\\(?:{NAMES.replace(' ', '|')})\{{\}}|\\[{{}}$&#_%]")


def table(*rows: tuple[str, ...]) -> Table:
    return Table(f"Title of {HOSTILE}", ("Name_1", "Time (%)"), rows, (f"A note: {HOSTILE}",), "a table")


@given(st.text())
def test_no_text_holds_a_command(text: str) -> None:
    found = escaped(text)
    assert "\n" not in found
    left = ESCAPED.sub("", found).replace("-{}-", "")
    assert not set(left) & set("\\{}$&#_%~^<>|`")


def test_numbers_are_flush_right_and_long_texts_break() -> None:
    text = latex(table(("a", "1.5 [1, 2]"), ("b" * (LONG_CELL + 1), "—")))
    assert r"\begin{tabular}{p{0.60\linewidth}r}" in text
    assert r"1.5 [1, 2] \\" in text
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]
    assert r"\label{tab:a-table}" in text


def test_a_bracket_at_the_beginning_of_a_row_is_no_argument() -> None:
    assert r"{}[1, 2] & x \\" in latex(table(("[1, 2]", "x")))


def test_wide_tables_take_both_columns() -> None:
    wide = Table("Wide", tuple("abcdefgh"), (tuple("12345678"),))
    assert latex(wide).count("{table*}") == 2
    assert latex(table(("a", "1"))).count("{table}") == 2


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on PATH")
def test_latex_sets_it(tmp_path: Path) -> None:
    head = r"\documentclass{article}\usepackage{booktabs,graphicx,textcomp}\begin{document}"
    numbers = tuple(tuple(f"{row}.{column}" for column in range(20)) for row in range(110))
    many = Table(
        "Many", tuple(f"Quantity number {column}" for column in range(20)), numbers, ("A note. " * 80,), "many"
    )
    node = ("node1", "a processor of some name", "f" * 64, *(f"a version of a library {n}" for n in range(12)))
    few = Table("Few", tuple(f"Fact {n}" for n in range(15)), (node,), name="few")
    body = latex(table((HOSTILE, "1.5"), ("[1]", "*"), ("", "—"))) + latex(many) + r"\clearpage" + latex(few)
    (tmp_path / "a.tex").write_text(head + body + r"\end{document}", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=600, check=False)
    told = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, told[-2000:]
    assert "Float too large" not in told
    assert "Overfull" not in told


@given(st.integers(1, 30), st.integers(1, 130), st.integers(1, 60))
def test_parts_hold_each_cell_once_beside_what_says_which_row_it_is(columns: int, rows: int, letters: int) -> None:
    cells = tuple(tuple(f"{row} {column} ".ljust(letters, "x") for column in range(columns)) for row in range(rows))
    given = Table("Title", tuple(f"Column {n}" for n in range(columns)), cells, ("A note.",), "name")
    found = parts(given)
    shown = [cell for part in found for row in (part.columns, *part.rows) for cell in row]
    assert {*shown} == {*given.columns, *(cell for row in cells for cell in row)}
    assert [part.notes for part in found] == [()] * (len(found) - 1) + [given.notes]
    assert len({part.name for part in found}) == len(found)
    for part in found:
        assert len(part.rows) <= MOST_LINES
        assert width_pt(part) <= WIDEST_PT or len(part.columns) == 2 or rows <= MOST_TURNED
    if len(found) == 1 and width_pt(given) <= WIDEST_PT:
        assert found == [given]
