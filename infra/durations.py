"""Durations as people write them. Standard library only: Pulumi's program and the operator's side both use it."""

from __future__ import annotations

import re

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_s(text: object) -> float | None:
    """Seconds of `90s`, `30m`, `1.5h` or `1d`; None for anything else."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smhd])", str(text))
    return None if found is None else float(found[1]) * UNITS_S[found[2]]
