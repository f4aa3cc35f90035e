"""Numbers in what a program prints: the patterns of metrics, and the text of a number as a float.

Standard library only: the operator's side checks patterns, the head applies them.
"""

from __future__ import annotations

import math
import re

PLACEHOLDER = "{number}"
# Atomic, so that no match can end inside a number by giving digits back
_NUMBER = r"[ \t]*(?>([-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?))(?!\.?\d)"
_WHOLE = re.compile(rf"{_NUMBER}[ \t]*")


def compile_pattern(pattern: str) -> re.Pattern[bytes]:
    """What finds a metric in a line: text with `{number}` in it, or else a regular expression with one group.

    Text around `{number}` is taken as it stands, but any white space matches any other. Raises ValueError.
    """
    if PLACEHOLDER in pattern:
        if pattern.count(PLACEHOLDER) > 1:
            raise ValueError(f"{pattern!r} has {PLACEHOLDER} more than once: a metric is one number")
        before, after = pattern.split(PLACEHOLDER)
        text = f"{_literal(before)}{_NUMBER}{_literal(after)}"
    else:
        text = pattern
    try:
        found = re.compile(text.encode())
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"{pattern!r} is no regular expression ({error})") from error
    if found.groups != 1:
        count = "no group" if found.groups == 0 else f"{found.groups} groups"
        raise ValueError(f"{pattern!r} has {count}: write {PLACEHOLDER} where the number stands, or one group ( )")
    return found


def parse_number(text: str) -> float:
    """The number, also with Fortran's D for its exponent. Raises ValueError where the text is no finite number."""
    found = _WHOLE.fullmatch(text)
    value = float(found[1].replace("d", "e").replace("D", "e")) if found else math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text.strip()[:40]!r} is no number")
    return value


def _literal(text: str) -> str:
    return r"[ \t]+".join(re.escape(part) for part in re.split(r"[ \t]+", text))
