"""A figure as files: SVG that shows values on hovering, PNG, and the drawn values as CSV."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from results.estimates import Estimate
from results.files import write_whole
from results.formats import estimate
from results.records.point import RecordedPoint
from results.table import csv_of

INK, GRID, BAD = "#1f2933", "#d3d9e0", "#c8372d"
PNG_DPI = 160
Item = TypeVar("Item")


@dataclass(frozen=True)
class Drawing:
    """One figure as files. `name` is their stem; `title` describes the figure to readers who cannot see it.

    `data`: the drawn values as CSV, each with the runs behind it; empty if they were not kept. `figure`: matplotlib's,
    for further formats.
    """

    name: str
    title: str
    svg: bytes
    png: bytes
    data: str = ""
    figure: Any = None

    def write(self, folder: Path, stem: str) -> None:
        """Writes .svg, .png and, where values were kept, .csv, each atomically. Raises OSError."""
        write_whole(folder / f"{stem}.svg", self.svg)
        write_whole(folder / f"{stem}.png", self.png)
        if self.data:
            write_whole(folder / f"{stem}.csv", self.data)


@dataclass
class Values:
    """Collects the values of a figure while it is drawn: the text shown on hovering, and a row of data."""

    rows: list[Mapping[str, object]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def add(self, artist: Any, text: str, row: Mapping[str, object]) -> None:
        """Adds one value. `artist`, if there is one, is what the reader hovers over."""
        if artist is not None:
            name = f"value-{len(self.texts)}"
            artist.set_gid(name)
            self.texts[name] = text
        self.rows.append(row)

    def csv(self) -> str:
        keys = list(dict.fromkeys(key for row in self.rows for key in row))
        return csv_of(keys, ([row.get(key) for key in keys] for row in self.rows)) if keys else ""


def spread_over(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many of the items, the first and the last among them: a figure has no room for more."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def row_of(label: str, point: RecordedPoint, value: Estimate | float | None) -> dict[str, object]:
    """A point's row of data: value with bounds, outcome and runs."""
    bounds = value if isinstance(value, Estimate) else None
    return {
        "line": label,
        "ranks": point.run.ranks,
        point.experiment.size_key: point.experiment.size_cell(point.run),
        "value": bounds.value if bounds else value,
        "low": bounds.low if bounds else None,
        "high": bounds.high if bounds else None,
        "bounds": bounds.bounds if bounds else None,
        "outcome": point.outcome,
        "run_ids": " ".join(point.run_ids),
    }


def text_of(label: str, point: RecordedPoint, value: Estimate) -> str:
    """The text shown on hovering over a point."""
    return f"{label}: {point.run.ranks} ranks, {point.size_text}: {estimate(value)}"


def as_files(figure: Any, name: str, title: str, values: Values | None = None) -> Drawing:
    """The figure as SVG and PNG; the same data give the same SVG."""
    svg, png = _pictures(figure, title)
    values = values or Values()
    return Drawing(name, title, _titled(svg.decode(), values).encode(), png, values.csv(), figure)


def _pictures(figure: Any, title: str) -> tuple[bytes, bytes]:
    """SVG and PNG, both with one layout: to find it takes as long as to write a file."""
    svg, png = io.BytesIO(), io.BytesIO()
    engine = figure.get_layout_engine()
    engine.execute(figure)
    figure.set_layout_engine(None)
    figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Title": title})
    figure.savefig(png, format="png", dpi=PNG_DPI, facecolor="white")
    figure.set_layout_engine(engine)
    return svg.getvalue(), png.getvalue()


def _titled(svg: str, values: Values) -> str:
    """Adds a title to the group of each value, which browsers show on hovering."""

    def title(match: re.Match[str]) -> str:
        text = values.texts.get(match[1])
        return match[0] if text is None else f"{match[0]}<title>{html.escape(text)}</title>"

    return re.sub(r'<g id="(value-\d+)">', title, svg)


def adaptive(svg: bytes) -> bytes:
    """The SVG for a page: the colours of text, grid and errors follow the reader's light or dark preference."""
    style = (
        f"<style>svg{{--ink:{INK};--grid:{GRID};--bad:{BAD}}}"
        "@media(prefers-color-scheme:dark){svg{--ink:#dfe5ec;--grid:#39434f;--bad:#ff7b6e}}</style>"
    )
    text = svg.decode()
    for colour, variable in ((INK, "ink"), (GRID, "grid"), (BAD, "bad")):
        text = text.replace(colour, f"var(--{variable})")
    return re.sub(r"(<svg\b[^>]*>)", lambda match: match[1] + style, text, count=1).encode()


def inline(drawing: Drawing, prefix: str) -> str:
    """The adaptive SVG as an element of a page, with a label for screen readers and ids made unique by `prefix`."""
    text = adaptive(drawing.svg).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    label = html.escape(drawing.title, quote=True)
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
