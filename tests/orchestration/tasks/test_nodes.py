"""The tasks that work on nodes, as a person types them: what is wrong is one line and exit status 2."""

import pytest

from tests.orchestration.support import refused


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "--study", "no-such"], "study 'no-such' is unknown"),
        (["push", "--cluster", "local"], "is this machine"),
        (["push", "--cluster", "/no/inventory.json"], "/no/inventory.json: the inventory cannot be read"),
        (["ssh", "--cluster", "local"], "is this machine"),
        (["clean", "--cluster", "local", "--sweep", "/no"], "--sweep /no is no sweep's folder"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words):
    assert words in refused(*arguments)
