"""The operator's side of a provider: the person at the terminal, the clock, the environment, the folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import Refusal
from orchestration.paths import RunsFolder
from orchestration.tables import TextTable, print_table

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class WallClock:
    """`now` in monotonic seconds, `utc` as ISO 8601."""

    now: Callable[[], float]
    utc: Callable[[], str]
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class Person:
    """`yes` agrees to everything; `ask` reads an answer, None where there is nobody to ask."""

    console: Console
    yes: bool
    ask: Callable[[str], str] | None

    def say(self, line: str) -> None:
        """Prints a line as it is, without wrapping or markup."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, tables: Sequence[TextTable]) -> None:
        """Prints tables for reading."""
        for table in tables:
            print_table(table, self.console)

    def agrees(self, question: str) -> bool:
        """True where the person types yes. Raises Refusal where there is neither a terminal nor --yes."""
        if self.yes:
            self.say(f"{question} Yes, by --yes.")
            return True
        if self.ask is None:
            raise Refusal(f"{question} Nobody is here to ask: give --yes")
        return self.ask(f"{question} Type yes: ").strip() == "yes"


@dataclass(frozen=True)
class Operator:
    """Who runs a task, and where: `root` is the project's folder, absolute, `runs` holds its sweeps."""

    root: Path
    runs: RunsFolder
    environment: Mapping[str, str]
    person: Person
    clock: WallClock
