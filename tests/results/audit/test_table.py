from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from results.audit import gates
from results.audit.gates import Audit
from results.audit.table import TableError, audit_of, points_of

HEADER = "ranks,time_s"


def audit(rows: Sequence[Sequence[object]], header: str = HEADER) -> Audit:
    return audit_of("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", "times.csv")


def flagged(found: Audit) -> set[tuple[str, str]]:
    return {(finding.gate, finding.verdict) for finding in found.findings}


def test_an_honest_table_is_not_accused() -> None:
    found = audit([(1, 8.0), (2, 4.1), (4, 2.2), (8, 1.4)])
    assert found.findings == ()
    assert set(found.passed) == {gates.SHARE, gates.SUPERLINEAR, gates.SERIAL}
    assert set(found.idle) == {gates.WEAK_FALLS, gates.MEMORY}
    assert found.tested[gates.SHARE].cases == 4  # each point, and all together


def test_ideal_tables_with_noise_are_never_said_to_be_impossible() -> None:
    rng = random.Random(1)  # noqa: S311  # noise, not secrets
    for launches in (1, 2, 3):
        for _ in range(100):
            rows = [(n, rng.lognormvariate(0.0, 0.1) / n) for n in (1, 2, 3, 4, 5, 6, 7, 8) for _ in range(launches)]
            assert not audit(rows).certain


def test_one_point_of_one_launch_is_suspicious_and_several_decide_together() -> None:
    suspicious = {(gate, "suspicious") for gate in (gates.SHARE, gates.SUPERLINEAR, gates.SERIAL)}
    assert flagged(audit([(1, 8.0), (2, 2.0)])) == suspicious
    assert flagged(audit([(1, 8.0), (2, 2.0), (4, 0.5), (8, 0.125)])) == suspicious | {(gates.SHARE, "cannot be")}


def test_three_launches_decide() -> None:
    rows = [(n, time_s / n**2) for n in (1, 2) for time_s in (8.0, 8.1, 7.9)]
    found = audit(rows)
    assert flagged(found) == {(gate, "cannot be") for gate in (gates.SHARE, gates.SUPERLINEAR, gates.SERIAL)}
    assert found.findings[0].where == "2 ranks, size 1.000"


def test_weak_scaling_by_its_sizes() -> None:
    rows = [(1, 5.51, 10), (2, 2.78, 20), (4, 1.24, 40), (8, 0.87, 80)]
    found = audit(rows, "ranks,time_s,size")
    assert (gates.WEAK_FALLS, "suspicious") in flagged(found)
    assert (gates.SHARE, "cannot be") in flagged(found)
    assert found.tested[gates.SERIAL].cases == 0
    honest = [(1, 5.5, 10), (2, 5.6, 20), (4, 5.9, 40), (8, 6.1, 80)]
    assert audit(honest, "ranks,time_s,size").findings == ()


def test_ranks_that_hold_less_than_one_rank_does_are_suspicious() -> None:
    header = "ranks,time_s,size,memory_mib"
    assert flagged(audit([(1, 8.0, 40, 1000), (4, 2.2, 40, 600)], header)) == {(gates.MEMORY, "suspicious")}
    assert audit([(1, 8.0, 40, 1000), (4, 2.2, 40, 1400)], header).findings == ()
    assert audit([(1, 8.0, 40, ""), (4, 2.2, 40, 1400)], header).tested[gates.MEMORY].cases == 0


def test_a_table_as_a_spreadsheet_saves_it() -> None:
    text = "\ufeffranks, time_s,remarks\r\n1,8.0,\r\n2,4.0,by night\r\n2,4.2\r\n"
    assert [(point.ranks, point.times_s) for point in points_of(text, "t.csv")] == [(1, (8.0,)), (2, (4.0, 4.2))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lacks the column ranks"),
        ("processes,seconds\n1,2\n", "lacks the column ranks"),
        ("ranks\n1\n", "lacks the column time_s"),
        ("ranks,time_s\n", "no row with ranks = 1"),
        ("ranks,time_s\n2,4.0\n", "no row with ranks = 1"),
        ("ranks,time_s\none,4.0\n", "line 2: ranks = 'one' is no number"),
        ("ranks,time_s\n1,4.0\n1.5,4.0\n", "line 3: ranks = 1.5 is no number of ranks"),
        ("ranks,time_s\n1,\n", "line 2: time_s = '' is no number"),
        ("ranks,time_s\n1\n", "line 2: time_s = None is no number"),
        ("ranks,time_s\n1,-4\n", "line 2: time_s = -4 is not above zero"),
        ("ranks,time_s\n1,nan\n", "line 2: time_s = nan is not above zero"),
        ("ranks,time_s\n1,1e999\n", "line 2: time_s = 1e999 is not above zero"),
        ("ranks,time_s\n99999999999,1\n", "is no number of ranks"),
        ("ranks,time_s,size\n1,2,0\n", "line 2: size = 0 is not above zero"),
        ('ranks,time_s\n"1,2\n' + "x" * 200_000, "is no CSV file"),
    ],
)
def test_a_table_that_is_none_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(TableError, match=words.replace("(", r"\(")) as error:
        audit_of(text, "t.csv")
    assert len(str(error.value).splitlines()) == 1
