"""Carries a comparison of two sweeps out, from their records alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from results.comparison import sweeps
from results.records.sweep import read_sweeps
from results.table import Table
from results.tables.across import compare


@dataclass(frozen=True)
class Compared:
    """The table of the comparison, and one line for each record that could not be used."""

    table: Table
    problems: tuple[str, ...]


def make(first: Path, second: Path) -> Compared:
    """Compares two sweeps. Raises SweepError where a folder is no sweep, or both are the same."""
    one, other = read_sweeps([first, second])
    problems = tuple(f"{sweep.name}: {line}" for sweep in (one, other) for line in sweep.problems)
    return Compared(compare.table(one, other, sweeps.of(one, other)), problems)
