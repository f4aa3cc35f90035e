"""What is kept of a program's output: its end, never twice 16 MiB, without what the ranks' parents say."""

from pathlib import Path

from workload.agent.output import BoundedLog

MARK = "@convscale-rank T"


def test_reports_are_taken_out_wherever_pieces_end(tmp_path: Path) -> None:
    text = (
        b'one\n\n@convscale-rank T {"rank": 0}\ntwo\n@convscale-rank T {"rank": 1}\n@convscale-rank T nonsense\nthree'
    )
    for size in (1, 7, 1000):
        log = BoundedLog(tmp_path / f"log{size}", MARK)
        for start in range(0, len(text), size):
            log.write(text[start : start + size])
        log.close()
        assert log.reports == [{"rank": 0}, {"rank": 1}]
        kept = (tmp_path / f"log{size}").read_bytes().replace(b"\n\n", b"\n")  # a report begins a line of its own
        assert kept == b"one\ntwo\n@convscale-rank T nonsense\nthree"


def test_much_output_is_cut_to_its_end(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", MARK, kept_bytes=1000)
    most = 0
    for number in range(5000):
        log.write(f"line {number}\n".encode())
        most = max(most, sum(path.stat().st_size for path in tmp_path.iterdir()))
    log.close()
    assert most <= 2000
    assert log.cut
    kept = (tmp_path / "log").read_bytes()
    assert 900 <= len(kept) <= 1000
    assert kept.endswith(b"line 4999\n")
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_line_without_end_is_kept_in_pieces(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", MARK, kept_bytes=10**6)
    log.write(b"\0\xff" * 200_000)
    assert (tmp_path / "log").stat().st_size > 0
    log.close()
