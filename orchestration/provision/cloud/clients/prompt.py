"""What fab shows a person while it makes or takes down a cloud cluster, and asks them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.errors import Refusal
from orchestration.provision.cloud.clients.events import Change, Heard

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


LOOKS = ("preview", "refresh")


@dataclass(frozen=True)
class Person:
    """`yes` agrees to everything; `ask` reads an answer, None where there is nobody to ask."""

    console: Console
    yes: bool
    ask: Callable[[str], str] | None

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, tables: Sequence[RenderableType]) -> None:
        for table in tables:
            self.console.print(table)

    def agrees(self, question: str) -> bool:
        """Raises Refusal where there is neither a terminal nor --yes."""
        if self.yes:
            self.say(f"{question} Yes, by --yes.")
            return True
        if self.ask is None:
            raise Refusal(f"{question} Nobody is here to ask: give --yes")
        return self.ask(f"{question} Type yes: ").strip() == "yes"

    @contextmanager
    def following(self, title: str, total: int | None = None) -> Iterator[Heard]:
        """What the engine says: a bar on a terminal; elsewhere a line for each change that is no mere look."""
        if not self.console.is_terminal:
            yield Heard() if title in LOOKS else Heard(lambda change: self.say(f"{title}: {change}"))
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn(title), BarColumn(bar_width=16), MofNCompleteColumn(), TimeElapsedColumn())
        description = TextColumn("{task.description}", markup=False)
        with Progress(*columns, description, console=self.console, transient=True) as bar:
            task = bar.add_task("", total=total)

            def changed(change: Change) -> None:
                bar.update(task, advance=1, description=str(change))

            yield Heard(changed)


def at_terminal() -> Callable[[str], str] | None:
    """How the person at this terminal is asked."""
    return input if sys.stdin.isatty() else None
