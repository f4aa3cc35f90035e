"""Makes a movement by its name."""

from __future__ import annotations

from importlib import import_module

from workload.movement import descriptions as movements
from workload.movement.movement import Movement, Task


def make(name: str, task: Task) -> Movement:
    """The movement of that name. Raises ValueError for an unknown one, or if it cannot serve the task's grid."""
    description = movements.describe(name)
    if objection := description.objection(task.grid):
        raise ValueError(objection)
    module, _, movement = description.implementation_with(task.options).partition(":")
    made: Movement = getattr(import_module(module), movement)(task)
    return made
