"""The two scaling laws of the paper, as it states them. Pure arithmetic.

p is the fraction of the one-rank time that runs in parallel, n the number of ranks.
"""

from __future__ import annotations


def amdahl(p: float, n: float) -> float:
    """Speedup of a fixed problem on n ranks: 1 / ((1 - p) + p / n) (the paper's Eq. 2; Amdahl 1967).

    Raises:
        ValueError: p outside 0 to 1, or n below 1.
    """
    _check(p, n)
    return 1.0 / ((1.0 - p) + p / n)


def gustafson(p: float, n: float) -> float:
    """Scaled speedup of a problem that grows with n: n - (1 - p)(n - 1) (the paper's Eq. 4; Gustafson 1988).

    Raises:
        ValueError: p outside 0 to 1, or n below 1.
    """
    _check(p, n)
    return n - (1.0 - p) * (n - 1.0)


def _check(p: float, n: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"parallel fraction {p} is out of range: give 0 to 1")
    if not n >= 1.0:
        raise ValueError(f"{n} ranks are out of range: give at least 1")
