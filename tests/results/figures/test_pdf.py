"""Figures for a paper: PDF at the widths of columns, with fonts that survive."""

from __future__ import annotations

import re

import pytest

from results.figures.drawing import Drawing
from results.figures.pdf import WIDTHS, as_pdfs
from results.figures.series import of_series
from tests.results.conftest import SweepMaker

POINTS = 72.0


HOSTILE = r"a_b & $x^2$ \frac <script>alert(1)</script> 100%" + " long" * 30


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Drawing, dict[str, bytes]]]:
    """The figures of a series with a hostile name, each with its PDFs."""
    maker = SweepMaker(tmp_path_factory.mktemp("pdf") / "sweep")
    maker.add_strong(HOSTILE, counts=(2,))
    sweep = maker.read()
    return [(each, as_pdfs(each)) for each in of_series(sweep, sweep.series[0])]


def test_each_width_has_its_size_and_embedded_truetype(drawings: list[tuple[Drawing, dict[str, bytes]]]) -> None:
    (_, found), *_ = drawings
    assert list(found) == [width.name for width in WIDTHS]
    for width in WIDTHS:
        pdf = found[width.name]
        assert pdf.startswith(b"%PDF")
        box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf)
        assert box is not None
        assert abs(float(box[1]) - POINTS * width.inches) < 1.0
        assert b"/FontFile2" in pdf, "TrueType"
        assert b"/Type3" not in pdf
        assert b"CreationDate" not in pdf, "the same data give the same file"


def test_a_hostile_name_is_text_in_every_format(drawings: list[tuple[Drawing, dict[str, bytes]]]) -> None:
    for drawing, pdfs in drawings:
        assert b"<script>" not in drawing.svg
        assert len(pdfs) == len(WIDTHS)
        assert all(pdf.startswith(b"%PDF") for pdf in pdfs.values())


def test_a_drawing_without_its_figure_has_none() -> None:
    assert as_pdfs(Drawing("a", "b", b"", b"")) == {}
