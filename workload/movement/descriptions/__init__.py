"""The register of movements: how blocks travel between where data lives and the ranks, described one file each.

docs/contributing.md tells how to add one.
"""

from __future__ import annotations

from workload.movement.descriptions import device, distributed, pipeline, replica, scatter_gather, serial, shared, tree
from workload.movement.descriptions.description import MovementDescription

_REGISTER: tuple[MovementDescription, ...] = (
    serial.DESCRIPTION,
    scatter_gather.DESCRIPTION,
    tree.DESCRIPTION,
    pipeline.DESCRIPTION,
    shared.DESCRIPTION,
    distributed.DESCRIPTION,
    device.DESCRIPTION,
    replica.DESCRIPTION,
)
_DESCRIPTIONS = {each.name: each for each in _REGISTER}


def names() -> tuple[str, ...]:
    """Every movement's name."""
    return tuple(_DESCRIPTIONS)


def option_names() -> tuple[str, ...]:
    """Every option that some movement takes, each once."""
    return tuple(dict.fromkeys(option for each in _DESCRIPTIONS.values() for option in each.options))


def switch_names() -> tuple[str, ...]:
    """Those of the options that are true or false."""
    return tuple(dict.fromkeys(option for each in _DESCRIPTIONS.values() for option in each.switches))


def names_on_gpu() -> tuple[str, ...]:
    """Those that take x to a GPU and y back."""
    return tuple(each.name for each in _REGISTER if each.on_gpu)


def describe(name: str) -> MovementDescription:
    """The movement of that name. Raises ValueError for an unknown one, naming those there are."""
    if name not in _DESCRIPTIONS:
        raise ValueError(f"movement = {name!r} is unknown: it is one of {', '.join(_DESCRIPTIONS)}")
    return _DESCRIPTIONS[name]
