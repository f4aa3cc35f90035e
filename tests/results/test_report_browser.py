"""The page in a real browser: it renders at desktop and phone width, and follows light and dark."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from results.report import make

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
DARK = "--blink-settings=preferredColorScheme=0"
PAGES = {"light": (246, 247, 249), "dark": (18, 23, 29)}  # the template's --page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")


def screenshot(page: Path, folder: Path, width: int, *extra: str) -> Image.Image:
    target = folder / f"{width}-{len(extra)}.png"
    command = [
        str(CHROMIUM), *FLAGS, *extra, f"--user-data-dir={folder / f'profile-{target.stem}'}",
        f"--window-size={width},1600", f"--screenshot={target}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603
    return Image.open(target).convert("RGB")


def test_the_page_renders_at_both_widths_and_in_both_schemes(maker: Any, tmp_path: Path) -> None:
    maker.add_strong(counts=(1, 2), launches=1)
    page = make([maker.finish()]).path
    for width, extra, scheme in ((1300, (), "light"), (390, (), "light"), (390, (DARK,), "dark")):
        image = screenshot(page, tmp_path, width, *extra)
        assert image.size == (width, 1600)
        assert image.getpixel((2, 2)) == PAGES[scheme]
        line = (0x2F, 0x7E, 0xD8)  # the first line's colour: the drawings are shown, too
        pixels = image.getcolors(maxcolors=2**24) or []
        assert sum(count for count, colour in pixels if colour == line) > 50
        edge = image.crop((width - 3, 0, width, 1600)).getcolors() or []
        assert [colour for _, colour in edge] == [PAGES[scheme]], "nothing runs over the page's edge"
