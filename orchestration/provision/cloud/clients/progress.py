"""What a person sees of an operation of Pulumi's engine while it lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.operator import Person
from orchestration.provision.cloud.clients.events import Change, Heard

LOOKS = ("preview", "refresh")  # operations that change nothing


@contextmanager
def following(person: Person, title: str, total: int | None = None) -> Iterator[Heard]:
    """Collects what the engine says: with a bar on a terminal, elsewhere with a line for each change it makes."""
    if not person.console.is_terminal:
        yield Heard() if title in LOOKS else Heard(lambda change: person.say(f"{title}: {change}"))
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(title), BarColumn(bar_width=16), MofNCompleteColumn(), TimeElapsedColumn())
    description = TextColumn("{task.description}", markup=False)
    with Progress(*columns, description, console=person.console, transient=True) as bar:
        task = bar.add_task("", total=total)

        def changed(change: Change) -> None:
            bar.update(task, advance=1, description=str(change))

        yield Heard(changed)
