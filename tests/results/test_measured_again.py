"""docs/measured has the numbers that `fab report` makes of the recorded sweeps, and no others."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from results.records.sweep import read_sweep
from results.report import contents
from results.table import markdown
from results.tables.series import scaling

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "measured"
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
DIVISION = re.compile(r"(\d+(?:\.\d+)?) / (\d+(?:\.\d+)?) = (\d+(?:\.\d+)?)")


@cache
def made() -> tuple[str, ...]:
    """The tables of the recorded sweeps, as Markdown."""
    texts = []
    for name in ("paper-naive", "paper-simd", "movements"):
        sweep = read_sweep(ROOT / "results/measured/16-core" / name)
        for series in sweep.series:
            tables = (scaling.compact(sweep, series), *contents.of_series(sweep, series))
            texts += [TABLE.search(markdown(table)) for table in tables]
    return tuple(found[0] for found in texts if found)


def test_every_table_of_the_page_is_one_of_the_reports() -> None:
    tables = TABLE.findall((PAGES / "README.md").read_text())
    assert len(tables) == 9
    assert set(tables) <= set(made())


@pytest.mark.parametrize("name", ["README.md", "solutions.md", "exercises.md"])
def test_every_decimal_in_words_is_a_number_of_the_tables_or_of_an_arithmetic_beside_it(name: str) -> None:
    words = TABLE.sub("", (PAGES / name).read_text())
    divisions = DIVISION.findall(words)
    for above, below, result in divisions:
        digits = len(result.partition(".")[2])
        assert f"{float(above) / float(below):.{digits}f}" == result
    known = {number for text in made() for number in re.findall(r"\d+\.\d+", text)}
    known |= {number for division in divisions for number in division}
    known |= {"5.50", "0.1", "0.9", "4.7", "11.0"}  # 44.02 / 8; Amdahl's law at 90 % on 8 ranks; 20 images of 0.550 s
    assert set(re.findall(r"\d+\.\d+", words)) <= known


def test_the_figures_show_the_speedups_of_the_tables() -> None:
    for path in PAGES.glob("figure-*.svg"):
        texts = re.findall(r"<title>.*, .*: \d+ ranks, B = \d+: (\d+\.\d+)", path.read_text())
        assert len(texts) == 5
        cells = {float(number) for text in made() for number in re.findall(r"\d+\.\d+", text)}
        assert all(any(abs(float(text) - cell) <= 0.005 * cell for cell in cells) for text in texts)
