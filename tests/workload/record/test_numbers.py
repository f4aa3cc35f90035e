"""Numbers as programs print them, and patterns that find them."""

import pytest

from workload.record.numbers import compile_pattern, parse_number


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("Elapsed: 1.5", 1.5), ("Elapsed:1.5 s", 1.5), ("Elapsed:   -3", -3.0), ("Elapsed: +.5e-3s", 0.0005),
        ("Elapsed: 1.25D+02", 125.0), ("Elapsed: 7.", 7.0), ("Elapsed: 1e5,", 100000.0),
    ],
)  # fmt: skip
def test_a_number_after_a_text(line: str, value: float) -> None:
    found = compile_pattern("Elapsed:{number}").search(line.encode())
    assert found
    assert parse_number(found[1].decode()) == value


@pytest.mark.parametrize("line", ["Elapsed: none", "Elapsed: 1.2.3", "Elapsed: nan", "elapsed: 1"])
def test_what_is_no_number(line: str) -> None:
    assert compile_pattern("Elapsed: {number}").search(line.encode()) is None


def test_a_match_cannot_end_inside_a_number() -> None:
    assert compile_pattern("took {number}4").search(b"took 1234") is None


def test_text_round_a_number_is_taken_as_it_stands() -> None:
    assert compile_pattern("Time (s) = {number} [max]").search(b"Time (s)  =  2.5 [max]")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("Elapsed", "no group"), ("(a)(b)", "2 groups"), ("(", "no regular expression"),
        ("{number} {number}", "more than once"),
    ],
)  # fmt: skip
def test_patterns_that_are_none(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compile_pattern(pattern)


@pytest.mark.parametrize("text", ["inf", "nan", "", "1 2", "0x10", "1e999"])
def test_texts_that_are_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        parse_number(text)
