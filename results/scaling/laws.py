"""Scaling laws: the paper's two, and serial fractions from a measured speedup. Pure arithmetic.

p is the fraction of the one-rank time that runs in parallel, n the number of ranks. fits.py fits laws to times.
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


def karp_flatt(speedup: float, n: float) -> float:
    """The serial fraction shown by a speedup S on n ranks: (1 / S - 1 / n) / (1 - 1 / n) (Karp and Flatt 1990).

    Below zero if the speedup is above n. Raises ValueError for a speedup that is not positive or n of 1 or less.
    """
    _check_speedup(speedup, n)
    return (1.0 / speedup - 1.0 / n) / (1.0 - 1.0 / n)


def scaled_serial_fraction(scaled_speedup: float, n: float) -> float:
    """The serial fraction shown by a scaled speedup S on n ranks, by Gustafson's law: (n - S) / (n - 1).

    Below zero if the speedup is above n. Raises ValueError for a speedup that is not positive or n of 1 or less.
    """
    _check_speedup(scaled_speedup, n)
    return (n - scaled_speedup) / (n - 1.0)


def _check_speedup(speedup: float, n: float) -> None:
    if not (speedup > 0.0 and n > 1.0):
        raise ValueError(f"speedup {speedup} on {n} ranks is out of range: give a positive one on more than 1 rank")


def _check(p: float, n: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"parallel fraction {p} is out of range: give 0 to 1")
    if not n >= 1.0:
        raise ValueError(f"{n} ranks are out of range: give at least 1")
