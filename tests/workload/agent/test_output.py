"""What is kept of the output of programs: its end, never twice 16 MiB, without what the ranks' parents say."""

from pathlib import Path

from workload.agent.output import BoundedLog, OutputPipe

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
    said, kept = (tmp_path / "log").read_bytes().split(b"\n", 1)
    assert len(kept) == 1000
    assert kept.endswith(b"line 4999\n")
    printed = sum(len(f"line {number}\n") for number in range(5000))
    assert said == f"[convscale: {printed - 1000} bytes of earlier output are left out here]".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_line_without_end_is_kept_in_pieces(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", MARK, kept_bytes=10**6)
    log.write(b"\0\xff" * 200_000)
    assert (tmp_path / "log").stat().st_size > 0
    log.close()


def test_commands_print_into_one_log_also_what_they_leave_at_work(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", MARK, kept_bytes=10**6)
    pipe = OutputPipe(log)
    go = tmp_path / "go"
    assert pipe.run(["sh", "-c", "echo one; (until [ -e go ]; do sleep 0.05; done; echo left) & exit 3"], tmp_path) == 3
    assert pipe.run(["sh", "-c", "echo $WHO; kill -TERM $$"], tmp_path, {"WHO": "two"}) == 128 + 15
    go.touch()
    pipe.close()
    log.close()
    assert (tmp_path / "log").read_text() == "one\ntwo\nleft\n"


def test_output_without_end_is_cut_while_it_comes(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", MARK, kept_bytes=10**5)
    pipe = OutputPipe(log)
    watch = "for n in 1 2 3 4 5 6 7 8 9; do head -c 1000000 /dev/zero; du -sb log* | cut -f1 >> sizes; done"
    assert pipe.run(["sh", "-c", watch], tmp_path) == 0
    pipe.close()
    log.close()
    assert max(map(int, (tmp_path / "sizes").read_text().split())) <= 2 * 10**5
    assert (tmp_path / "log").stat().st_size <= 10**5 + 100
