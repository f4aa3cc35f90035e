import pytest

from workload.record.token import LENGTH, check_token, is_token, make_token, sweep_of, token_at_end

TOKEN = "0123456789abcdef-89abcdef"


def test_a_token_is_a_run_and_a_sweep() -> None:
    assert make_token("0123456789abcdef", "89abcdef") == TOKEN
    assert (len(TOKEN), sweep_of(TOKEN)) == (LENGTH, "89abcdef")
    check_token(TOKEN)


NOT_TOKENS = ["", "a", "0123456789abcdef", "*", f"{TOKEN} ", f"{TOKEN}\n", TOKEN.upper(), f"/{TOKEN}"]


@pytest.mark.parametrize("text", NOT_TOKENS)
def test_anything_else_is_refused(text: str) -> None:
    assert not is_token(text)
    with pytest.raises(ValueError, match="is not a token"):
        check_token(text)


@pytest.mark.parametrize(
    ("text", "found"), [(f"/tmp/{TOKEN}", TOKEN), (f"x-{TOKEN}", TOKEN), (f"{TOKEN}/log", None), ("", None)]
)
def test_the_token_that_a_path_ends_in(text: str, found: str | None) -> None:
    assert token_at_end(text) == found
