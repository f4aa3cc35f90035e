"""The page in a real browser: it renders at desktop and phone width, and follows light and dark."""

from __future__ import annotations

import base64
import csv
import hashlib
import shutil
import statistics
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from results.forecast.bid import ChoiceLimits
from results.formats import number
from results.report.contents import Buying
from results.report.page import make
from tests.results.comparison.test_buying import LIST, cluster, described, law
from tests.results.conftest import SweepMaker

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"
PAGES = {"light": (246, 247, 249), "dark": (18, 23, 29)}  # the template's --page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a sweep whose logs hold a script."""
    maker = SweepMaker(tmp_path_factory.mktemp("browser") / "sweep")
    maker.add_strong(counts=(1, 2, 4), change=lambda record: record.update(log_tail="<script>alert(1)</script>"))
    return make([maker.finish()]).path


@pytest.fixture(scope="module")
def seen(page: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The page as the browser has it, and its log."""
    return dumped(page, tmp_path_factory.mktemp("seen"), "plain")


def screenshot(page: Path, folder: Path, width: int, *extra: str) -> Image.Image:
    target = folder / f"{width}-{len(extra)}.png"
    command = [
        str(CHROMIUM), *FLAGS, *extra, f"--user-data-dir={folder / f'profile-{target.stem}'}",
        f"--window-size={width},2400", f"--screenshot={target}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return Image.open(target).convert("RGB")


def dumped(page: Path, folder: Path, name: str) -> tuple[str, str]:
    """The page as the browser has it once its script has run, and what the browser logged."""
    command = [str(CHROMIUM), *FLAGS, "--enable-logging=stderr", f"--user-data-dir={folder / name}", "--dump-dom"]
    done = subprocess.run([*command, page.as_uri()], check=True, capture_output=True, text=True, timeout=600)
    return done.stdout, done.stderr


class FirstTable(HTMLParser):
    """Headings, their sort order, and cells of a page's first table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.order: list[str | None] = []
        self._inside = self._done = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._done:
            return
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            self._inside = True
            self.order += [dict(attrs).get("aria-sort")] if tag == "th" else []

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag not in ("th", "td")
        self._done = self._done or tag == "table"

    def handle_data(self, data: str) -> None:
        if self._inside and not self._done:
            self.rows[-1][-1] += data


def test_the_page_has_no_error_and_its_numbers_are_those_of_the_samples(page: Path, seen: tuple[str, str]) -> None:
    dom, log = seen
    assert "CONSOLE" not in log, log
    table = FirstTable(dom)
    with (page.parent / "samples.csv").open(newline="") as file:
        samples = list(csv.DictReader(file))
    shown = {row[0]: row[table.rows[0].index("Total time (s)")] for row in table.rows[1:]}
    for ranks, text in shown.items():
        totals: dict[str, dict[str, dict[str, float]]] = {}
        for sample in samples:
            if sample["ranks"] == ranks:
                of_run = totals.setdefault(sample["run_id"], {}).setdefault(sample["repeat"], {})
                of_run[sample["rank"]] = of_run.get(sample["rank"], 0.0) + float(sample["time_s"])
        medians = [statistics.median(max(ranks_.values()) for ranks_ in run.values()) for run in totals.values()]
        assert text == number(statistics.geometric_mean(medians))
    assert set(shown) == {"1", "2", "4"}


def test_a_click_on_a_heading_sorts_its_table(page: Path, seen: tuple[str, str], tmp_path: Path) -> None:
    text = page.read_text()
    script = text[text.index("<script>") + len("<script>") : text.index("</script>")]

    changed = script + 'document.querySelector("thead th").click();' * 2
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in (script, changed)]
    clicked = tmp_path / "clicked.html"
    clicked.write_text(text.replace(script, changed).replace(*digests))
    down = FirstTable(dumped(clicked, tmp_path, "clicked")[0])
    assert [row[0] for row in FirstTable(seen[0]).rows[1:]] == ["1", "2", "4"]
    assert [row[0] for row in down.rows[1:]] == ["4", "2", "1"]
    assert down.order[:2] == ["descending", None]


def test_the_page_renders_at_both_widths_and_in_both_schemes(page: Path, tmp_path: Path) -> None:
    for width, extra, scheme in ((1300, (), "light"), (390, (), "light"), (390, (DARK,), "dark")):
        image = screenshot(page, tmp_path, width, *extra)
        assert image.size == (width, 2400)
        assert image.getpixel((2, 2)) == PAGES[scheme]
        line = (0x2F, 0x7E, 0xD8)  # the first line's colour: the drawings are shown, too
        pixels = image.getcolors(maxcolors=2**24) or []
        assert sum(count for count, colour in pixels if colour == line) > 50
        edge = image.crop((width - 3, 0, width, 2400)).getcolors() or []
        assert [colour for _, colour in edge] == [PAGES[scheme]], "nothing runs over the page's edge"


def test_which_machines_to_buy_stands_with_its_figures_and_runs_over_no_edge(
    make_maker: Callable[..., SweepMaker], tmp_path: Path
) -> None:
    sweeps = [
        cluster(make_maker, "fat", 0.01, machine_type="big"),
        cluster(make_maker, "light", 0.05, nodes=4, machine_type="big"),
    ]
    made = make([sweep.folder for sweep in sweeps], tmp_path / "joint", buying=Buying(LIST, ChoiceLimits(0.2, 1e-4)))
    dom, log = dumped(made.path, tmp_path, "joint-profile")
    assert "CONSOLE" not in log, log
    table = FirstTable(dom)
    assert table.rows[0][:5] == ["Cluster", "Machine type", "Nodes", "Ranks", "How"]
    assert sorted(row[0] for row in table.rows[1:]) == ["fat", "light", "light", "light"]
    section = dom[dom.index('id="buy"') : dom.index('id="across"')]
    assert section.count("<svg") == 2
    assert section.index("The cheapest within 0.200 s: fat with 2 ranks on 1 node") < section.index("<svg")
    assert section.count("The cheapest within 0.200 s") == 1
    image = screenshot(made.path, tmp_path, 390)
    edge = image.crop((387, 0, 390, 2400)).getcolors() or []
    assert [colour for _, colour in edge] == [PAGES["light"]]


def test_several_problems_are_bought_for_one_by_one(make_maker: Callable[..., SweepMaker], tmp_path: Path) -> None:
    folders = []
    for name, image_s in (("fat", 0.01), ("light", 0.05)):
        maker = make_maker(name, seed=len(name))
        for launch in range(3):
            for batch in (2, 4, 8, 16, 32):
                maker.add("size", "size", law(image_s), ranks=2, batch=batch, launch=launch)
        folders.append(described(maker.finish(), name, 1, machine_type="big").folder)
    made = make(folders, tmp_path / "joint", buying=Buying(LIST))
    dom, log = dumped(made.path, tmp_path, "several-profile")
    assert "CONSOLE" not in log, log
    rows = FirstTable(dom).rows
    assert rows[0][:3] == ["Work", "Asked", "Machines"]
    works = [f"B = {batch}" for batch in (32, 16, 8, 4, 2)]
    assert [row[:3] for row in rows[1:]] == [
        [work, asked, "fat with 2 ranks on 1 node"] for work in works for asked in ("cheapest", "fastest")
    ]
    section = dom[dom.index('id="buy"') : dom.index('id="across"')]
    assert section.count("<svg") == 2 * 4, "two figures each of the first four"
    headings = [section.index(f"<h3>{work}</h3>") for work in works[:4]]
    assert headings == sorted(headings)
    assert f"<h3>{works[4]}</h3>" not in section
    assert "of the other 1 this table has the answers alone" in section
