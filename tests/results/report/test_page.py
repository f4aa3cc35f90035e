from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from results.figures import series
from results.forecast.bid import ChoiceLimits
from results.records.sweep import SweepError
from results.report import page as report
from results.report.contents import Buying
from results.report.page import make
from tests.results.comparison.test_buying import LIST, cluster
from tests.results.conftest import ProgramSweep, SweepMaker, filled

SCRIPT = "<script>alert(1)</script>"
CSV = "data:text/csv;base64,"
PAPER = "https://github.com/naoya526/aca-project-naoya"  # a link: nothing is loaded from there
PNG = report.PNG_SIGNATURE + b"rest of a picture"


class Page(HTMLParser):
    """Tags, text and addresses of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


@dataclass(frozen=True)
class Reported:
    """A sweep and its report, and the files that were there before."""

    sweep: SweepMaker
    before: set[str]
    made: report.Report

    @property
    def folder(self) -> Path:
        return self.sweep.folder


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """For tests that only read: the drawing takes nearly all the time."""
    sweep = filled(SweepMaker(tmp_path_factory.mktemp("reported") / "sweep"))
    return Reported(sweep, files(sweep.folder), make([sweep.folder]))


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the drawing out, which takes nearly all the time."""
    monkeypatch.setattr(series, "of_series", lambda *_: [])


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_report_is_made_from_the_records_alone(reported: Reported) -> None:
    made, new = reported.made, files(reported.folder) - reported.before
    assert made.path == reported.folder / "report.html"
    assert {"report.html", "samples.csv", "tables/strong-strong.md", "tables/strong-strong.csv"} <= new
    assert {"tables/environment.md", "tables/check.csv", "figures/weak-weak-speedup.svg"} <= new
    assert {name.rsplit(".", 1)[1] for name in new} - {"parquet"} == {"html", "csv", "md", "svg", "png", "json"}
    assert made.problems == ()
    assert [table.title for table in made.tables] == [
        "Strong scaling: strong (sweep)",
        "Weak scaling: weak (sweep)",
    ]


def test_the_page_begins_with_the_answer_its_figure_and_three_numbers(reported: Reported) -> None:
    made = reported.made
    text = made.path.read_text()
    first = text[text.index("<h1>") : text.index("<details")]
    (sentence,) = made.answer
    assert html.escape(sentence, quote=True).replace("&#x27;", "&#39;") in first
    assert "<h1>3 x 3 convolution of 64 x 64 images, 3 to 3 channels, on Synthetic CPU, 4 slots</h1>" in first
    assert "sweep" not in first.partition("</h1>")[0]
    assert first.count("<svg") == 1
    assert "absolute speedup" in first
    assert first.count('<dd class="value">') == 3


def test_the_page_is_whole_in_itself(reported: Reported) -> None:
    page = Page(reported.made.path)
    assert page.tags.count("script") == 1, "our own, that sorts"
    assert "link" not in page.tags
    assert [address for address in page.addresses if not address.startswith(("data:", "#"))] == [PAPER]
    assert page.tags.count("svg") == len(list((reported.folder / "figures").glob("*.svg")))
    anchors = {address[1:] for address in page.addresses if address.startswith("#")}
    text = (reported.folder / "report.html").read_text()
    assert all(f'id="{anchor}"' in text for anchor in anchors)


@pytest.mark.thorough
def test_a_paper_gets_tables_figures_and_methods(maker: Any) -> None:
    maker.add_strong(r"50% \input{x} <b>", counts=(1, 2))
    made = make([maker.finish()], paper=True)
    paper = made.path.parent / "paper"
    names = {path.name for path in paper.iterdir()}
    assert {"methods.md", "strong-50-input-x-b.tex", "strong-50-input-x-b-time-one-column.pdf"} <= names
    figures = {path.stem for path in (maker.folder / "figures").glob("*.svg")}
    assert {f"{stem}-two-columns.pdf" for stem in figures} <= names
    assert {path.stem for path in (maker.folder / "tables").glob("*.md")} == {path.stem for path in paper.glob("*.tex")}
    text = (paper / "strong-50-input-x-b.tex").read_text()
    assert r"\caption{Strong scaling: 50\% \textbackslash{}input\{x\} \textless{}b\textgreater{} (sweep)}" in text
    assert "Spread in a launch" not in text, "the columns that a paper needs"
    assert "<b>" not in made.path.read_text().replace("</b>", "")


def test_without_a_paper_there_is_no_folder_for_it(reported: Reported) -> None:
    assert not (reported.folder / "paper").exists()


@pytest.mark.usefixtures("no_figures")
def test_what_comes_from_nodes_stays_text(maker: Any) -> None:
    def hostile(record: dict[str, Any]) -> None:
        record["log_tail"] = f"{SCRIPT}\nlast line"
        record["reason"] = f'"><img src=x onerror=alert(1)> {SCRIPT}'
        for machine in record["machines"]:
            machine.update(node=SCRIPT, cpu_model=SCRIPT, kernel=SCRIPT, boot_id=SCRIPT, mpi=SCRIPT)

    maker.add_strong(counts=(1, 2), change=hostile)
    maker.add("strong", ranks=4, outcome="crashed", change=hostile)
    ids = [path.stem for path in (maker.folder / "records").glob("*.json")]
    events: list[dict[str, Any]] = [
        {"event": "forecast", "utc": SCRIPT, "probe": {"measured_utc": SCRIPT},
         "forecasts": {run_id: {"forward_s": 1.0} for run_id in ids}},
        {"event": "canary", "when": SCRIPT, "failed": SCRIPT},
        *({"event": "canary", "multiply_adds_per_s": {SCRIPT: rate}} for rate in (1e9, 2e9)),
    ]  # fmt: skip
    maker.finish()
    (maker.folder / "ledger.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    page = Page(make([maker.finish()]).path)
    assert page.tags.count("script") == 1, "our own, that sorts"
    assert page.text.count(SCRIPT) > 5
    assert "last line" in page.text
    for path in (maker.folder / "tables").glob("*.md"):
        assert "<script" not in path.read_text()


def test_the_policy_lets_our_own_script_run_and_no_other(reported: Reported) -> None:
    text = reported.made.path.read_text()
    script = text[text.index("<script>") + len("<script>") : text.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text


def test_the_data_of_every_figure_and_table_is_one_click_away(reported: Reported) -> None:
    page = Page(reported.made.path)
    data = [base64.b64decode(each.split(",", 1)[1]).decode() for each in page.addresses if each.startswith(CSV)]
    written = [path.read_bytes().decode() for path in reported.folder.rglob("*.csv") if path.name != "samples.csv"]
    assert set(data) <= set(written)
    assert len(data) >= len(list((reported.folder / "figures").glob("*.csv"))) + 10
    ids = {launch.run_id for launch in reported.sweep.read().launches}
    for text in data:
        rows = list(csv.DictReader(io.StringIO(text)))
        if rows and "run_ids" in rows[0]:
            assert {run_id for row in rows for run_id in row["run_ids"].split()} <= ids


@pytest.mark.usefixtures("no_figures")
def test_a_bad_record_is_named_on_the_page_and_the_rest_is_reported(full: Any) -> None:
    paths = sorted((full.folder / "records").glob("*.json"))
    paths[0].write_bytes(paths[0].read_bytes()[:99])
    made = make([full.folder])
    (problem,) = made.problems
    assert paths[0].name in problem
    assert problem in Page(made.path).text
    with (full.folder / "samples.csv").open(newline="") as file:
        assert paths[1].stem in {row["run_id"] for row in csv.DictReader(file)}


@pytest.mark.usefixtures("no_figures")
def test_failed_runs_have_their_log(full: Any) -> None:
    text = Page(make([full.folder]).path).text
    assert "made out_of_memory" in text
    assert "last words of the run" in text


@pytest.mark.parametrize(
    ("content", "shown"), [(PNG, True), (b"<svg onload=alert(1)>", False), (b"", False), (None, False)]
)
@pytest.mark.usefixtures("no_figures")
def test_pictures_are_shown_where_both_are_pictures(full: Any, content: bytes | None, shown: bool) -> None:
    folder = full.folder / "pictures"
    folder.mkdir()
    (folder / "input.png").write_bytes(PNG)
    if content is not None:
        (folder / "output.png").write_bytes(content)
    page = Page(make([full.folder]).path)
    assert sum(address.startswith("data:image/png") for address in page.addresses) == (2 if shown else 0)


@pytest.mark.usefixtures("no_figures")
def test_several_sweeps_make_a_joint_report_and_stay_untouched(make_maker: Callable[..., Any], tmp_path: Path) -> None:
    folders = []
    for name in ("one", "two"):
        maker = make_maker(name)
        maker.add_strong(counts=(1, 2))
        folders.append(maker.finish())
    before = [files(folder) for folder in folders]
    made = make(folders, tmp_path / "joint")
    assert [files(folder) for folder in folders] == before
    assert made.path == tmp_path / "joint" / "report.html"
    assert {"tables/one-strong-strong.csv", "tables/two-strong-strong.csv", "tables/side-by-side.md"} <= files(
        tmp_path / "joint"
    )
    assert len(made.tables) == 2
    assert [line.partition(" ")[0] for line in made.answer] == ["At", "one:", "two:"]
    assert make(folders).path.parent.name.startswith("joint-"), "a folder beside the first, where none is named"


@pytest.mark.thorough
def test_a_joint_report_says_which_machines_to_buy(make_maker: Callable[..., Any], tmp_path: Path) -> None:
    sweeps = [cluster(make_maker, name, image_s, machine_type="big") for name, image_s in (("a", 0.01), ("b", 0.02))]
    folders = [sweep.folder for sweep in sweeps]
    made = make(folders, tmp_path / "joint", paper=True, buying=Buying(LIST, ChoiceLimits(deadline_s=0.1)))
    assert made.tables[-1].title == "Which machines to buy"
    written = files(tmp_path / "joint")
    assert {"tables/choice.csv", "figures/choice-on-demand.svg", "paper/choice-spot-two-columns.pdf"} <= written
    assert "b is too slow" in Page(made.path).text
    with pytest.raises(SweepError, match="nothing can be bought by them"):
        make([folders[0], empty(make_maker)], tmp_path / "none", buying=Buying(limits=ChoiceLimits(budget=1.0)))


def empty(make_maker: Callable[..., Any]) -> Path:
    maker = make_maker("empty")
    maker.add("strong", ranks=2, batch=99)
    return Path(maker.finish())


@pytest.mark.usefixtures("no_figures")
def test_a_program_and_the_convolution_have_a_report_together(maker: Any, tmp_path: Path) -> None:
    maker.add_strong(counts=(1, 2))
    program = ProgramSweep(tmp_path / "heat")
    for ranks in (1, 2):
        program.add(ranks, 1.0 / ranks)
    program.read()
    made = make([maker.finish(), program.folder], tmp_path / "joint")
    assert "no problem in common" in made.answer[0]
    page = Page(made.path)
    assert "3 x 3 convolution" in page.text
    assert "./heat {n}, on Synthetic CPU, 8 slots" in page.text
    with (tmp_path / "joint" / "samples.csv").open(newline="") as file:
        assert {row["parameters"] for row in csv.DictReader(file)} == {"", "n = 512"}


@pytest.mark.usefixtures("no_figures")
def test_series_whose_names_make_one_file_name_keep_their_files_apart(maker: Any) -> None:
    maker.add("a b")
    maker.add("a/b", ranks=2)
    make([maker.finish()])
    assert {"tables/strong-a-b.md", "tables/strong-a-b-2.md"} <= files(maker.folder)


def test_a_sweep_without_records_still_has_a_page(maker: Any) -> None:
    (maker.folder / "records").mkdir(parents=True)
    made = make([maker.finish()])
    assert "0 runs" in Page(made.path).text
    assert made.tables == ()


@pytest.mark.usefixtures("no_figures")
def test_an_unwritable_place_is_refused_in_one_line(full: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SweepError, match="the report cannot be written") as refusal:
        make([full.folder], tmp_path / "file" / "out")
    assert "\n" not in str(refusal.value)


def test_no_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="no sweep is given"):
        make([])
    with pytest.raises(SweepError, match="is not a sweep folder"):
        make([tmp_path])


def test_the_same_records_make_the_same_page(maker: Any) -> None:
    maker.add("strong", ranks=2)
    first = make([maker.finish()]).path.read_bytes()
    assert make([maker.folder]).path.read_bytes() == first


def test_importing_the_report_is_quick_to_load() -> None:
    code = (
        "import sys, results.report; "
        "heavy = [name for name in ('matplotlib', 'scipy', 'jinja2', 'numpy', 'mpi4py') if name in sys.modules]; "
        "sys.exit(','.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
