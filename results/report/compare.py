"""Carries out a comparison of sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from results.comparison import sweeps
from results.records.sweep import read_sweeps
from results.table import Table
from results.tables.across import compare


@dataclass(frozen=True)
class Compared:
    """A comparison: its table, a line for each record that could not be used, and whether a point is slower."""

    table: Table
    problems: tuple[str, ...]
    slower: bool


def make(first: Sequence[Path], second: Sequence[Path], tolerance: float | None = None) -> Compared:
    """Compares two sides, one sweep or several each.

    Raises:
        SweepError: a folder is not a sweep, or is given twice.
        ValueError: `tolerance` is not between 0 and 1.
    """
    every = read_sweeps([*first, *second])
    one, other = every[: len(first)], every[len(first) :]
    problems = tuple(f"{sweep.name}: {line}" for sweep in every for line in sweep.problems)
    found = sweeps.of(one, other, tolerance)
    return Compared(compare.table(one, other, found), problems, found.slower)
