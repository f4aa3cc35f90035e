"""The look of all figures: colours, markers, sizes and matplotlib's settings."""

from __future__ import annotations

import textwrap
from contextlib import AbstractContextManager
from typing import Any

from results.figures.drawing import GRID, INK
from results.formats import slug
from results.records.measurement import PARTS

COLOURS = ("#2f7ed8", "#e07b1f", "#2d9d63", "#a259c9", "#c2417c", "#0f9aa8", "#8a7a2b", "#6b7785")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
PART_COLOURS = dict(zip(PARTS, ("#8f7fd6", "#e07b1f", "#2f7ed8", "#2d9d63", "#c2417c", "#aab4bf"), strict=True)) | {
    "user": "#2f7ed8",
    "system": "#e07b1f",
    "waiting": "#aab4bf",
}
SIZE_INCHES = (5.4, 3.6)  # without the legend
LEGEND_ROW_INCHES = 0.2
TITLE_CHARACTERS = 50  # of a line, as wide as the axes
RC: dict[Any, Any] = {
    "font.size": 10.5,
    "text.parse_math": False,  # names come from records: a dollar sign stays one
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.fonttype": "path",
}


def styled(*names: str) -> AbstractContextManager[None]:
    """Applies our style. The names seed the ids inside a drawing, so that they are unique and reproducible."""
    import matplotlib as mpl

    context: AbstractContextManager[None] = mpl.rc_context({**RC, "svg.hashsalt": slug(*names)})
    return context


def new_figure() -> Any:
    """An empty figure of the report's size."""
    from matplotlib.figure import Figure

    return Figure(figsize=SIZE_INCHES, layout="constrained")


def set_title(axes: Any, text: str) -> None:
    """The figure's title, in lines: one that is too long would leave the axes no room."""
    axes.set_title(textwrap.fill(text, TITLE_CHARACTERS), loc="left")
