"""Arithmetic without eval: what it computes, and what it refuses."""

import pytest

from workload.record.arithmetic import evaluate, names_in

VALUES = {"ranks": 4, "n": 10, "residual": 1e-7, "mode": "fast"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n*n", 100), ("4096*sqrt(ranks)", 8192.0), ("n // 3 % 2", 1), ("-n + 2**3", -2), ("max(n, ranks)", 10),
        ("n == 10", True), ("residual < 1e-6 and n >= 10", True), ("1 < ranks <= 3", False), ("not n", False),
        ("mode == 'fast'", True),
    ],
)  # fmt: skip
def test_values(text: str, value: object) -> None:
    assert evaluate(text, VALUES) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("m + 1", "m is unknown"), ("open('x')", "unknown"), ("n.real", "no arithmetic"), ("[1][0]", "no arithmetic"),
        ("n +", "no arithmetic"), ("n / 0", "division by zero"), ("2 ** 99999", "out of range"), ("lambda: 1", "no"),
        ("__import__('os')", "unknown"), ("mode * 9", "text"), ("sqrt(-1)", "sqrt"), ("1 " * 400, "500 characters"),
        ("(-8) ** 0.5", "no real number"), ("9**999 * 9**999 ** 9", "out of range"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evaluate(text, VALUES)


def test_names() -> None:
    assert names_in("sqrt(n) * ranks + 1") == {"n", "ranks"}
