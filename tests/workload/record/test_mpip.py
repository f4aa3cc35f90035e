"""mpiP's report. This one was made by hand after the form of mpiP 3.5; no real one was at hand."""

from pathlib import Path

from workload.record.mpip import find_report, parse_report

REPORT = """@ mpiP
@ Command : ./heat 1024 100
@ Version                  : 3.5.0
---------------------------------------------------------------------------
@--- MPI Time (seconds) ---------------------------------------------------
---------------------------------------------------------------------------
Task    AppTime    MPITime     MPI%
   0       1.25       0.25    20.00
   1       1.24        0.5    40.32
   *       2.49       0.75    30.12
---------------------------------------------------------------------------
@--- Callsite Time statistics (all, milliseconds): 4 ----------------------
---------------------------------------------------------------------------
Name              Site Rank  Count      Max     Mean      Min   App%   MPI%
Sendrecv             1    0    100      3.0      2.0      1.0  16.00  80.00
Sendrecv             2    0    100      1.0      0.5      0.1   4.00  20.00
Sendrecv             1    *    200      3.0      2.0      0.1  16.00  80.00
Reduce               3    1      1    500.0    500.0    500.0  40.32 100.00
---------------------------------------------------------------------------
@--- Callsite Message Sent statistics (all, sent bytes) -------------------
---------------------------------------------------------------------------
Name              Site Rank   Count       Max      Mean       Min       Sum
Sendrecv             1    0     100      8208      8208      8208 8.208e+05
"""


def test_times_and_calls() -> None:
    times, calls = parse_report(REPORT)
    assert times == [{"rank": 0, "app_s": 1.25, "mpi_s": 0.25}, {"rank": 1, "app_s": 1.24, "mpi_s": 0.5}]
    assert calls == [
        {"rank": 0, "call": "Sendrecv", "count": 200, "bytes": 820800, "time_s": 0.25},
        {"rank": 1, "call": "Reduce", "count": 1, "bytes": 0, "time_s": 0.5},
    ]


def test_the_newest_report_of_a_folder(tmp_path: Path) -> None:
    assert find_report(tmp_path) is None
    (tmp_path / "heat.2.4711.1.mpiP").write_text(REPORT)
    assert find_report(tmp_path) == REPORT


def test_what_is_no_report_gives_nothing() -> None:
    assert parse_report("hello\n@--- MPI Time ---\nTask x\n") == ([], [])
