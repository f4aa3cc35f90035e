"""Makes the report of one or more sweeps from their records: samples, tables, figures, exports and one page."""

from __future__ import annotations

import base64
import gc
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from results.audit.paper import published
from results.figures.drawing import Drawing, inline
from results.figures.pdf import as_pdfs
from results.files import write_whole
from results.forecast.bid import Choice
from results.formats import slug
from results.latex import latex
from results.records.kinds import CONVOLUTION
from results.records.sweep import RecordedSeries, RecordedSweep, SweepError, read_sweeps
from results.report import answer, contents, methods, verdict
from results.report.contents import Buying
from results.report.exports import extra_p, has_parquet, parquet
from results.report.samples import samples_csv
from results.report.summary import sentences
from results.report.title import title
from results.table import Table, csv_text, is_numeric, markdown
from results.tables.sweep.check import not_ok

TEMPLATES = Path(__file__).parent / "templates"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PAPER = "paper"  # the folder of what goes into a paper
MAX_PICTURE_BYTES = 16 * 2**20
OPEN_ROWS = 40  # longer tables are collapsed on the page
MOST_ROWS, MOST_NOTES = 200, 100  # of a table on the page; its file has all of them
# A page stays below some 10 MB, whatever the sweep: what would go beyond is linked, and lies beside the page
EMBEDDED_BYTES = 5 * 2**20  # of data that the page carries to download
LARGEST_SVG_BYTES = 2**19  # of a drawing that the page carries; a larger one is shown as PNG


@dataclass(frozen=True)
class Report:
    """The result: the page's path, answer and tables for a terminal, and a line for each thing that was not usable."""

    path: Path
    answer: tuple[str, ...]
    tables: tuple[Table, ...]
    problems: tuple[str, ...]


def make(
    folders: Sequence[Path], out: Path | None = None, *, paper: bool = False, buying: Buying | None = None
) -> Report:
    """Writes samples.csv, tables/, figures/, exports/ and report.html into `out`, each file atomically.

    `paper`: also paper/, with each table as LaTeX, each figure as PDF at two widths, and the methods.
    `buying`: prices that the records lack, and limits of a run, for the section on which machines to buy.
    By default `out` is the sweep's own folder; for several sweeps, a folder beside the first, named after all of them.

    Raises:
        SweepError: no folder is given, one is not a sweep or given twice, `out` cannot be written, or what `buying`
            asks for can be about nothing.
    """
    if not folders:
        raise SweepError("no sweep is given: name a sweep's folder")
    target = out or _default_folder(folders)
    with _uncollected():
        sweeps = read_sweeps(folders)
        try:
            return _write(sweeps, target, paper, buying or Buying())
        except OSError as error:
            place = error.filename or target
            raise SweepError(
                f"{place}: the report cannot be written ({error.strerror}): free it or name another"
            ) from error


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leaves out garbage collection, which would look through all records again and again: a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _default_folder(folders: Sequence[Path]) -> Path:
    if len(folders) == 1:
        return folders[0]
    names = "\n".join(str(folder.resolve()) for folder in folders)
    return folders[0].resolve().parent / f"joint-{hashlib.sha256(names.encode()).hexdigest()[:8]}"


def _write(sweeps: Sequence[RecordedSweep], target: Path, paper: bool, terms: Buying) -> Report:
    chosen = contents.choices(sweeps, terms)
    page = _Page(sweeps, target, paper)
    write_whole(target / "samples.csv", samples_csv(sweeps))
    if has_parquet():
        write_whole(target / "samples.parquet", parquet(sweeps))
    bought = page.choices(chosen, terms)
    across = page.tables(contents.of_all(sweeps), "")
    shown = page.figures(contents.drawings_of_all(sweeps), "")
    described = [page.sweep(sweep) for sweep in sweeps]
    problems = tuple(f"{sweep.name}: {line}" for sweep in sweeps for line in sweep.problems)
    path = target / "report.html"
    joint = answer.of_all(sweeps) if len(sweeps) > 1 else None
    values = {"sweeps": described, "bought": bought, "across": across, "figures": shown, "joint": joint}
    origin = published.document()["url"] if any(sweep.experiment is CONVOLUTION for sweep in sweeps) else ""
    write_whole(path, _render(title=title(sweeps), origin=origin, problems=problems, **values))
    if paper:
        write_whole(target / PAPER / "methods.md", methods.markdown(sweeps))
    told = [f"{each['name']}: {each['answer'].sentence}" if joint else each["answer"].sentence for each in described]
    first = (joint.sentence,) if joint else ()
    return Report(path, (*first, *told), (*contents.console(sweeps), *contents.to_buy(chosen, terms)), problems)


class _Page:
    """Writes tables and figures as files, and returns what the template shows of them."""

    def __init__(self, sweeps: Sequence[RecordedSweep], target: Path, paper: bool) -> None:
        self._target, self._paper = target, paper
        self._several = len(sweeps) > 1
        self._names: set[str] = set()
        self._figures = 0
        self._room_bytes = EMBEDDED_BYTES

    def sweep(self, sweep: RecordedSweep) -> dict[str, Any]:
        prefix = sweep.name if self._several else ""
        # in this order, so that a series' files keep their plain names if an own table or figure has the same
        shown = contents.of_sweep(sweep)
        tables = {name: self.tables(shown[name], prefix) for name in ("environment", "check", "machines", "failed")}
        series = [self._series(sweep, each, prefix) for each in sweep.series]
        gpus, gpu_answers = contents.of_gpus(sweep)
        drawn = self.figures(contents.drawings_of_gpus(sweep), prefix)
        beside = [{"figures": drawn, **self._answered(table, gpu_answers, prefix)} for table in gpus]
        figures = self.figures(contents.drawings_of_sweep(sweep), prefix)
        tables |= {name: self.tables(shown[name], prefix) for name in ("own", "audit", "foretold")}
        found = answer.of_sweep(sweep)
        return {
            "name": sweep.name,
            "answer": found,
            "shows": _taken([each["figures"] for each in series], found.drawings),
            "study": sweep.study_name,
            "cluster": str(sweep.inventory.get("cluster", "")),
            "verdicts": verdict.sentences(sweep),
            "summary": sentences(sweep),
            "pictures": _pictures(sweep.folder),
            "series": series,
            "figures": figures,
            "gpus": beside,
            "tables": tables,
            "logs": [launch for launch in not_ok(sweep) if launch.log_tail],
        }

    def _series(self, sweep: RecordedSweep, series: RecordedSeries, prefix: str) -> dict[str, Any]:
        for name, text in extra_p(series).items():
            write_whole(self._target / "exports" / (f"{slug(prefix)}-{name}" if prefix else name), text)
        return {
            "name": series.name,
            "scaling": series.scaling,
            "figures": self.figures(contents.drawings_of_series(sweep, series), prefix),
            "tables": self.tables(contents.of_series(sweep, series), prefix, contents.in_paper(sweep, series)),
        }

    def tables(self, found: Sequence[Table], prefix: str, in_paper: Sequence[Table] = ()) -> list[dict[str, Any]]:
        """`in_paper`: tables that a paper has in place of the ones of the same name."""
        shown, shorter = [], {table.name: table for table in in_paper}
        for table in found:
            stem = self._stem(table.name, prefix)
            write_whole(self._target / "tables" / f"{stem}.md", markdown(table))
            text = csv_text(table)
            write_whole(self._target / "tables" / f"{stem}.csv", text)
            if self._paper:
                write_whole(self._target / PAPER / f"{stem}.tex", latex(shorter.get(table.name, table)))
            numeric = [is_numeric(table, column) for column in range(len(table.columns))]
            shown.append(
                {
                    "table": replace(table, rows=table.rows[:MOST_ROWS], records=(), notes=table.notes[:MOST_NOTES]),
                    "numeric": numeric,
                    "rows": len(table.records),
                    "folded": len(table.records) > OPEN_ROWS,
                    "file": f"{stem}.csv",
                    "data": self._link("tables", f"{stem}.csv", text),
                }
            )
        return shown

    def choices(self, found: Sequence[Choice], terms: Buying) -> dict[str, Any]:
        """The section on which machines to buy: the answers for all problems, then those problems one by one."""
        overview = self.tables(contents.overview_of_choices(found, terms), "")
        problems = [self._choice(each, terms) for each in contents.detailed(found)]
        campaign = self.tables(contents.of_campaign(terms), "")
        return {"overview": overview, "problems": problems, "campaign": campaign}

    def _choice(self, found: Choice, terms: Buying) -> dict[str, Any]:
        """One problem: its answers, its figures and its table."""
        shown = self._answered(contents.of_choice(found, terms), contents.answers_of_choice(found, terms), "")
        figures = self.figures(contents.drawings_of_choice(found, terms), "")
        return {"heading": found.problem, "figures": figures, **shown}

    def _answered(self, table: Table, answers: Sequence[str], prefix: str) -> dict[str, Any]:
        """A table whose answers stand above it, and no more among its notes."""
        (shown,) = self.tables([table], prefix)
        shown["table"] = replace(shown["table"], notes=tuple(note for note in table.notes if note not in answers))
        return {"answers": answers, "table": shown}

    def figures(self, drawings: Sequence[Drawing], prefix: str) -> list[dict[str, Any]]:
        return [self._figure(drawing, prefix) for drawing in drawings]

    def _figure(self, drawing: Drawing, prefix: str) -> dict[str, Any]:
        from markupsafe import Markup

        stem = self._stem(drawing.name, prefix)
        drawing.write(self._target / "figures", stem)
        for width, pdf in as_pdfs(drawing).items() if self._paper else ():
            write_whole(self._target / PAPER / f"{stem}-{width}.pdf", pdf)
        self._figures += 1
        shown = {"name": drawing.name, "title": drawing.title, "file": f"{stem}.csv"}
        shown["data"] = self._link("figures", f"{stem}.csv", drawing.data)
        if len(drawing.svg) > LARGEST_SVG_BYTES:
            return shown | {"png": _data_uri("image/png", drawing.png)}
        return shown | {"svg": Markup(inline(drawing, f"f{self._figures}"))}  # noqa: S704  # our own; texts are escaped

    def _link(self, folder: str, file: str, text: str) -> str:
        """Where the page has these values: in itself while there is room, else beside it; empty for none."""
        uri = _data_uri("text/csv", text.encode()) if text else ""
        if len(uri) > self._room_bytes:
            return f"{folder}/{file}"
        self._room_bytes -= len(uri)
        return uri

    def _stem(self, name: str, prefix: str) -> str:
        """A stem for file names that no other table or figure of this report has."""
        stem = base = slug(prefix, name)
        count = 1
        while stem in self._names:
            count += 1
            stem = f"{base}-{count}"
        self._names.add(stem)
        return stem


def _taken(figures: Sequence[list[dict[str, Any]]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The figure of the first name that there is, taken out of its list; empty where there is none."""
    for name in names:
        for found in figures:
            for figure in found:
                if figure["name"] == name:
                    found.remove(figure)
                    return [figure]
    return []


def _pictures(folder: Path) -> dict[str, str]:
    """Figure 2: input and output as data URIs, if the folder has both and neither is too large."""
    found = {}
    for name in ("input", "output"):
        path = folder / "pictures" / f"{name}.png"
        if not path.is_file() or path.stat().st_size > MAX_PICTURE_BYTES:
            return {}
        data = path.read_bytes()
        if not data.startswith(PNG_SIGNATURE):
            return {}
        found[name] = _data_uri("image/png", data)
    return found


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _render(**values: object) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    # The page's content security policy allows this one script, whatever text the records contain.
    return environment.get_template("report.html").render(script=script, script_digest=digest, **values)
