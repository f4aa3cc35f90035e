"""What a person types about a program: `--parameter NAME=VALUE` and `--metric NAME=PATTERN`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from orchestration.errors import Refusal

FLAGS = ("command", "parameter", "metric", "scaling", "size", "mpi", "threads")
HIGHER = "higher:"
_UNITS = {"s": "s", "ms": "ms", "us": "us", "gflops": "GFLOP/s", "mb_per_s": "MB/s", "gb_per_s": "GB/s"}


def parameters_of(texts: Sequence[str]) -> dict[str, Any]:
    """The parameters of `n=4096`, `n=1024,2048` or `n=4096*sqrt(ranks)`. Raises Refusal."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise Refusal(f"--parameter {text!r} is no NAME=VALUE: give for example n=4096")
        if name.strip() in found:
            raise Refusal(f"--parameter {name.strip()} stands twice: give its values with commas between them")
        items = [_value(item) for item in _split(value)]
        found[name.strip()] = items if len(items) > 1 else items[0]
    return found


def metric_of(text: str) -> tuple[str, dict[str, Any]]:
    """Name and table of `time_s=Elapsed: {number}` or `higher:gflops=...`. Raises Refusal."""
    higher = text.startswith(HIGHER)
    name, equals, pattern = text.removeprefix(HIGHER).partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name) or not pattern:
        raise Refusal(f"--metric {text!r} is no NAME=PATTERN: give for example 'time_s=Elapsed: {{number}}'")
    return name, {"pattern": pattern, "unit": _unit(name), "higher": higher}


def _unit(name: str) -> str:
    """What the end of a metric's name says; empty where it says nothing."""
    lower = name.lower()
    return next((unit for end, unit in _UNITS.items() if lower == end or lower.endswith(f"_{end}")), "")


def _split(text: str) -> list[str]:
    """At commas outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
