"""A figure as PDF for a paper, at the width of one column or of two, with TrueType fonts embedded.

The figure itself is changed: it is drawn anew at that width, with its texts at a size that papers ask for and without
its title, which stands in the caption.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from results.figures.drawing import INK, Drawing
from results.figures.style import RC, SIZE_INCHES

TRUETYPE = 42  # matplotlib's name for fonts that publishers take; its default, type 3, they do not
USUAL_INCHES = SIZE_INCHES[1] + 1.0  # of a figure's height with its legend; only bars in long rows are taller


@dataclass(frozen=True)
class ColumnWidth:
    """`shape` is height over width without the legend, `text_points` the size of labels."""

    name: str
    inches: float
    shape: float
    text_points: float


WIDTHS = (ColumnWidth("one-column", 3.5, 0.68, 8.0), ColumnWidth("two-columns", 7.2, 0.5, 9.0))


def as_pdfs(drawing: Drawing) -> dict[str, bytes]:
    """The figure at each width, by the width's name; nothing of a drawing without its figure. Needs matplotlib."""
    if drawing.figure is None:
        return {}
    points, taller = RC["font.size"], max(1.0, drawing.figure.get_figheight() / USUAL_INCHES)
    pdfs = {}
    for width in WIDTHS:
        _scale(drawing.figure, width.text_points / points)
        points = width.text_points
        pdfs[width.name] = _saved(drawing, width, taller * width.shape * width.inches)
    return pdfs


def _saved(drawing: Drawing, width: ColumnWidth, height_inches: float) -> bytes:
    import matplotlib as mpl

    figure, file = drawing.figure, io.BytesIO()
    for axes in figure.axes:
        axes.set_title("", loc="left")
        axes.xaxis.label.set_wrap(True)
    legend_inches = _fit_legend(figure, width.inches) if figure.legends else 0.0
    figure.set_size_inches(width.inches, height_inches + legend_inches)
    with mpl.rc_context({"pdf.fonttype": TRUETYPE}):
        figure.savefig(file, format="pdf", metadata={"CreationDate": None, "Title": drawing.title})
    return file.getvalue()


def _scale(figure: Any, factor: float) -> None:
    """Scales texts, lines and markers."""
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            size = axis.get_ticklabels()[0].get_fontsize() if axis.get_ticklabels() else RC["font.size"]
            axis.set_tick_params(labelsize=factor * size)
    ticks = {label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()}
    for text in figure.findobj(Text):
        if text not in ticks:
            text.set_fontsize(factor * text.get_fontsize())
    for line in figure.findobj(Line2D):
        line.set_linewidth(factor * line.get_linewidth())
        line.set_markersize(factor * line.get_markersize())


def _fit_legend(figure: Any, inches: float) -> float:
    """Sets the legend in as many columns as fit into the width, smaller where one is too wide; its height in inches."""
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    size, room = legend.get_texts()[0].get_fontsize(), inches * figure.dpi
    for columns in range(len(labels), 0, -1):
        legend = _new_legend(figure, labels, columns, size)
        if (wide := legend.get_window_extent().width) <= room:
            break
    else:
        legend = _new_legend(figure, labels, 1, size * room / wide)
    return float(legend.get_window_extent().height / figure.dpi)


def _new_legend(figure: Any, labels: Sequence[str], columns: int, size: float) -> Any:
    (old,) = figure.legends
    handles = old.legend_handles
    old.remove()
    return figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, fontsize=size, frameon=False, labelcolor=INK,
        columnspacing=1.0, handlelength=1.4, handletextpad=0.5,
    )  # fmt: skip
