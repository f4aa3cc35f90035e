"""Carries out a comparison of two sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from results.comparison import sweeps
from results.records.sweep import read_sweeps
from results.table import Table
from results.tables.across import compare


@dataclass(frozen=True)
class Compared:
    """The result of a comparison: its table, and a line for each record that could not be used."""

    table: Table
    problems: tuple[str, ...]


def make(first: Path, second: Path) -> Compared:
    """Compares two sweeps. Raises SweepError if a folder is not a sweep, or both are the same."""
    one, other = read_sweeps([first, second])
    problems = tuple(f"{sweep.name}: {line}" for sweep in (one, other) for line in sweep.problems)
    return Compared(compare.table(one, other, sweeps.of(one, other)), problems)
