"""A sweep carried out for the person at the terminal: its runs as they go, its report, and how they ended."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.tasks.printing import console, print_line, short
from orchestration.tasks.results import print_report

if TYPE_CHECKING:
    from orchestration.paths import SweepPaths
    from orchestration.sweep.prepare import Sweep
    from orchestration.sweep.progress import Progress
    from orchestration.sweep.runner import Result


def carry_out_sweep(prepared: Sweep, begun: Callable[[Path], None] = lambda _: None) -> tuple[SweepPaths, Result]:
    """Carries the sweep out and reports it; `begun` is told its folder before the first run. Returns both.

    Raises Refusal, Stopped.
    """
    from orchestration.forecast.sweep import forecast_sweep
    from orchestration.sweep.runner import carry_out

    forecast = forecast_sweep(prepared)
    paths = prepared.find()
    print("another sweep:" if paths is None else "going on with", end=" ")
    again = [] if paths is None else prepared.rebooted(paths)
    paths = paths or prepared.new_folder()
    notes = (*again, *prepared.plan.notes, *filter(None, [forecast.why]), *forecast.lifetime())
    for line in (short(paths.folder), *notes):
        print_line(line)
    begun(paths.folder)
    result = carry_out(prepared, paths, _progress(), forecast.ledger_extras())
    print_report([paths.folder], None)
    if unkept := forecast.keep(paths.folder):
        print(unkept)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.counts.items()))
    print(f"{sum(result.counts.values())} runs: {counts}")
    return paths, result


def _progress() -> Progress:
    from orchestration.sweep.progress import Lines, Terminal

    return Lines(sys.stdout) if console().is_dumb_terminal or not sys.stdout.isatty() else Terminal()
