"""The ledger is read by one rule: whole lines count, a torn end is none, and what is no event is a problem."""

import json

import pytest

from workload.record.ledger import read_ledger

EVENT = json.dumps({"schema_version": 1, "event": "planned", "utc": "t0"})


def test_a_ledger_that_is_not_there_is_empty(tmp_path):
    found = read_ledger(tmp_path / "none.jsonl")
    assert (found.events, found.problems) == ((), ())


def test_a_torn_end_is_neither_event_nor_problem(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text(f'{EVENT}\n{{"schema_vers')
    found = read_ledger(path)
    assert [event["event"] for event in found.events] == ["planned"]
    assert found.problems == ()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "is no event"),
        ("[]", "is no event"),
        ("[" * 100_000, "is no event"),
        ('{"schema_version": 1}', "names no event"),
        ('{"schema_version": 2, "event": "planned"}', "schema_version 2"),
        ('{"schema_version": 1, "event": 3}', "names no event"),
    ],
)
def test_what_is_no_event_is_named_by_its_line_and_the_others_stay(tmp_path, line, words):
    path = tmp_path / "ledger.jsonl"
    path.write_text(f"{EVENT}\n{line}\n{EVENT}\n")
    found = read_ledger(path)
    assert len(found.events) == 2
    (problem,) = found.problems
    assert "ledger.jsonl, line 2" in problem
    assert words in problem
