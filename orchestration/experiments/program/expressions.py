"""Placeholders and parameters of a point: expressions evaluated, `{name}` replaced. Pure."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestration.messages import unknown
from workload.record.arithmetic import evaluate, names_in

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}")


def fill(text: str, values: Mapping[str, Any]) -> str:
    """The text with `{name}` replaced; `{{` and `}}` are braces. Raises ValueError for a name that is unknown."""

    def replaced(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0][0]
        if found[1] not in values:
            raise ValueError(unknown("placeholder", found[1], sorted(values)))
        return shown(values[found[1]])

    return _PLACEHOLDER.sub(replaced, text)


def shown(value: Any) -> str:
    """A value as it stands in a command."""
    return str(value)


def crossed(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One item of every list, in every combination."""
    names = list(parameters)
    lists = [value if isinstance(value, list) else [value] for value in parameters.values()]
    for items in itertools.product(*lists):
        yield dict(zip(names, items, strict=True))


def lists_of(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of parameters that are lists."""
    return tuple(name for name, value in parameters.items() if isinstance(value, list) and len(value) > 1)


def resolve(definitions: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters' values: text that is an expression over the given names and other parameters is evaluated.

    Text of other names is text. Raises ValueError where expressions go round in a circle or give no number.
    """
    values: dict[str, Any] = {}
    waiting = dict(definitions)
    while waiting:
        ready = [name for name, value in waiting.items() if not _needs(value, definitions) & waiting.keys()]
        if not ready:
            raise ValueError(f"parameters {', '.join(waiting)} need each other: give one of them a number")
        for name in ready:
            values[name] = _value(name, waiting.pop(name), {**given, **values})
    return values


def stated(key: str, expression: Any, values: Mapping[str, Any]) -> float | None:
    """What the study states by that key; None where it states nothing. Raises ValueError for no positive number."""
    if expression is None:
        return None
    number = expression if not isinstance(expression, str) else evaluate(expression, values)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
        raise ValueError(f"{key} = {expression} is {number!r}: give a positive number")
    return float(number)


def unequal(sizes: Sequence[tuple[int, float]]) -> float:
    """By how much the work per rank varies over points of ranks and size: largest over smallest, less one."""
    shares = [size / ranks for ranks, size in sizes]
    return max(shares) / min(shares) - 1.0 if shares else 0.0


def _needs(value: Any, definitions: Mapping[str, Any]) -> set[str]:
    if not isinstance(value, str):
        return set()
    try:
        return names_in(value) & definitions.keys()
    except ValueError:
        return set()


def _value(name: str, value: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(value, str) or not _is_expression(value, known):
        return value
    found = evaluate(value, known)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        raise ValueError(f"{name} = {value} is {found!r}, no number")
    return round(found) if _is_whole(found) else found


def _is_whole(value: float) -> bool:
    """Counts that come of a root are meant whole: 4096*sqrt(2) is 5793 points, not 5792.6."""
    return isinstance(value, int) or abs(value) >= 100 or value == int(value)


def _is_expression(value: str, known: Mapping[str, Any]) -> bool:
    """Text of known names, or with an operator or a call in it; a plain word or file name is text."""
    if re.fullmatch(r"[A-Za-z_][\w.]*", value):
        return value in known
    try:
        names = names_in(value)
    except ValueError:
        return False
    if unknown_names := names - known.keys():
        if "(" in value or re.search(r"[*+]|//|\s/\s", value):
            raise ValueError(f"{value}: {', '.join(sorted(unknown_names))} is unknown: known are {', '.join(known)}")
        return False
    return True
