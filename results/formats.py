"""Formats numbers and estimates as text, alike in every table, figure and sentence."""

from __future__ import annotations

import math
import re

from results.estimates import EXACT, INTERVAL, RANGE, Estimate

NONE = "—"
MIB = 2**20
SLUG_LENGTH = 60


def number(value: float | None, digits: int = 4) -> str:
    """`digits` significant digits, without an exponent if that stays readable; a dash for None."""
    if value is None:
        return NONE
    if value == 0.0:
        return "0"
    if not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{_decimals(value, digits)}f}"


def estimate(value: Estimate | None, digits: int = 4) -> str:
    """`value [low, high]` for an interval, `value (low to high)` for a range, the value alone if it is exact.

    A range without width comes from one launch, and the text says so.
    """
    if value is None:
        return NONE
    if value.bounds == EXACT:
        return number(value.value, digits)
    if value.bounds == RANGE and value.launches == 1 and value.low == value.high:
        return f"{number(value.value, digits)} (one launch)"
    low, high = (_like(bound, value.value, digits) for bound in (value.low, value.high))
    bounds = f"[{low}, {high}]" if value.bounds == INTERVAL else f"({low} to {high})"
    return f"{number(value.value, digits)} {bounds}"


def signed_percent(value: float | None) -> str:
    """A share as a whole number of percent, with its sign."""
    return NONE if value is None else f"{100 * value:+.0f}"


def percent(value: float | None) -> str:
    """A share as a percentage with one decimal, without the sign."""
    return NONE if value is None else f"{100 * value:.1f}"


def share(value: Estimate) -> str:
    """A share in whole percent, its bounds as `estimate` gives them."""
    middle, low, high = (f"{round(100.0 * number) + 0:d}%" for number in (value.value, value.low, value.high))
    if value.bounds == EXACT:
        return middle
    if value.bounds == RANGE and value.launches == 1:
        return f"{middle} (one launch)"
    return f"{middle} " + (f"[{low}, {high}]" if value.bounds == INTERVAL else f"({low} to {high})")


def mib(value: float | None) -> str:
    """Bytes as MiB."""
    return NONE if value is None else number(value / MIB)


def shape(sizes: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, sizes))})"


def plural(count: int, noun: str) -> str:
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun}{'es' if noun.endswith('ch') else 's'}"


def sentence(text: str) -> str:
    """The text with a capital first letter, otherwise unchanged."""
    return text[:1].upper() + text[1:]


def slug(*names: str) -> str:
    """A stem for file names, from any text."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", "-".join(name for name in names if name)).strip("-")[:SLUG_LENGTH] or "series"


def _decimals(value: float, digits: int) -> int:
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def _like(bound: float, value: float, digits: int) -> str:
    """A bound with as many decimals as the value."""
    if math.isinf(bound):
        return "no bound"
    if not 1e-4 <= abs(value) < 1e7:
        return number(bound, digits)
    return f"{bound:.{_decimals(value, digits)}f}"
