import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import Refusal
from orchestration.sweep.ledger import Ledger


def test_keeps_what_was_appended_in_order(tmp_path):
    ledger = Ledger(tmp_path / "l.jsonl")
    assert ledger.events() == []
    ledger.append("planned", "t0", runs=["a"])
    ledger.append("started", "t1", run_id="a")
    ledger.append("started", "t2", run_id="b")
    assert [event["event"] for event in ledger.events()] == ["planned", "started", "started"]
    assert ledger.last("started")["run_id"] == "b"
    assert ledger.last("ended") is None


@given(cut=st.integers(1, 60))
def test_a_torn_last_line_is_dropped_and_whole_ones_stay(tmp_path_factory, cut):
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "l.jsonl")
    ledger.append("planned", "t0")
    ledger.append("started", "t1", run_id="0123456789abcdef")
    content = ledger.path.read_bytes()
    ledger.path.write_bytes(content[:-cut])
    assert [event["event"] for event in ledger.events()] == ["planned"]
    ledger.append("ended", "t2")
    assert [event["event"] for event in ledger.events()] == ["planned", "ended"]


@pytest.mark.parametrize("line", ["{", "[]", '{"schema_version": 1}', '{"schema_version": 2, "event": "planned"}'])
def test_a_line_that_is_no_event_is_refused_by_number(tmp_path, line):
    ledger = Ledger(tmp_path / "l.jsonl")
    ledger.append("planned", "t0")
    with ledger.path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(Refusal, match="line 2"):
        ledger.events()
