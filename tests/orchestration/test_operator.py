import io

import pytest
from rich.console import Console

from orchestration.errors import Refusal
from orchestration.operator import Person


def person(yes=False, ask=None):
    return Person(Console(file=io.StringIO(), width=120), yes, ask)


@pytest.mark.parametrize(("answer", "agreed"), [("yes", True), (" yes ", True), ("YES", False), ("", False)])
def test_only_yes_is_yes(answer, agreed):
    assert person(ask=lambda _: answer).agrees("Really?") == agreed


def test_nobody_to_ask():
    with pytest.raises(Refusal, match=r"Really\? Nobody is here to ask: give --yes"):
        person().agrees("Really?")
    assert person(yes=True).agrees("Really?")
