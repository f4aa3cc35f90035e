"""Bundles a module of this folder into one text, to be sent to a node that has no workload yet.

The modules of ours that it imports at its top, `from workload.x import y`, are put in front of it. They must use the
standard library alone, and no two of them may define the same name.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FUTURE = "from __future__ import annotations"
OURS = re.compile(r"from (workload(?:\.\w+)+) import .+")


def bundle(name: str) -> str:
    """The program `name`, for example "survey". Raises OSError."""
    return f"{FUTURE}\n" + "\n".join(_lines(Path(__file__).with_name(f"{name}.py"))) + "\n"


def _lines(path: Path) -> list[str]:
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if ours := OURS.fullmatch(line):
            lines += _lines(ROOT / f"{ours[1].replace('.', '/')}.py")
        elif line != FUTURE:
            lines.append(line)
    return lines
