"""The parent of each rank of a person's own program: starts it, stands aside, and says what it took.

    rank_parent.py --token T --folder F [--unpack TAR ..] [--set NAME=VALUE ..] [--unset NAME ..] [--stdin FILE] -- ARGV

Started by the launcher in the rank's place, as a file, without site packages. The token stands in its arguments, and in
CONVSCALE_TOKEN of whatever the rank starts. Signals go on to the rank, and where one ends it the parent ends by the
same. What the rank prints passes through it, cut where it is too much. What was measured is printed on standard error
as one line, which the head's supervisor takes out of the log: standard error comes home by the launcher's own way, also
where no folder is shared. Standard library only, no threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import resource
import select
import signal
import socket
import sys
import tarfile
import time
import tty
from pathlib import Path
from typing import Any, NoReturn

MARK = "@convscale-rank"
TOKEN_VARIABLE = "CONVSCALE_TOKEN"  # noqa: S105  a name
RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID")
FORWARDED = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT")
)
SAMPLE_S = 1.0
PASSED_BYTES = END_BYTES = 2 * 2**20  # of a stream: passed on as it comes, and of the rest at the end
PIECE_BYTES = 2**16
DRAIN_S = 2.0
PR_SET_PDEATHSIG = 1
NOT_STARTED = 127  # as a shell says it


class Options:
    """The words before `--`, and the rank's own command after it."""

    def __init__(self, words: list[str]) -> None:
        self.token, self.folder, self.stdin = "", "", ""
        self.unpack: list[str] = []
        self.set: dict[str, str] = {}
        self.unset: list[str] = []
        end = words.index("--")
        self.argv = words[end + 1 :]
        for name, value in zip(words[0:end:2], words[1:end:2], strict=True):
            if name == "--unpack":
                self.unpack.append(value)
            elif name == "--unset":
                self.unset.append(value)
            elif name == "--set":
                self.set[value.partition("=")[0]] = value.partition("=")[2]
            else:
                setattr(self, name.removeprefix("--"), value)


def main(options: Options) -> int:
    """Carries the rank through; returns what to exit with, or ends as the rank did."""
    rank = next((int(os.environ[name]) for name in RANK_VARIABLES if os.environ.get(name, "").isdigit()), 0)
    before = {"load_1m": os.getloadavg()[0], "steal_s": steal_s()}
    try:
        prepare(Path(options.folder), options.unpack)
        os.chdir(options.folder)
        environment = environment_of(options)
        stdin = os.open(options.stdin if options.stdin and rank == 0 else os.devnull, os.O_RDONLY)
    except (OSError, tarfile.TarError) as error:
        report(options.token, {"rank": rank, "error": f"{error.strerror if isinstance(error, OSError) else error}: "
               f"{getattr(error, 'filename', None) or options.folder}"})  # fmt: skip
        return NOT_STARTED
    streams = (Stream(1), Stream(2))
    begun = time.monotonic()
    children = start_forwarding(options.argv, environment, stdin, streams)
    (child,) = children
    swap_bytes = wait(child, streams)
    wall_s = time.monotonic() - begun
    core = processor(child)
    status, usage = os.wait4(child, 0)[1:]
    children.clear()  # a signal goes no further, and must not end us before the report: MPICH ends all ranks by SIGTERM
    code = os.waitstatus_to_exitcode(status)
    for stream in streams:
        stream.finish()
    report(options.token, {
        "rank": rank, "node": socket.gethostname(), "core": core, "wall_s": wall_s,
        "user_s": usage.ru_utime, "system_s": usage.ru_stime, "peak_rss_bytes": usage.ru_maxrss * 1024,
        "swap_bytes": swap_bytes, "major_faults": usage.ru_majflt,
        "context_switches": [usage.ru_nvcsw, usage.ru_nivcsw],
        "exit_status": code if code >= 0 else None, "signal": -code if code < 0 else None,
        "load_1m": before["load_1m"], "steal_s": steal_s() - before["steal_s"],
    })  # fmt: skip
    for number in FORWARDED:
        signal.signal(number, signal.SIG_DFL)
    if code < 0:
        end_by(-code)
    return code


def start_forwarding(
    argv: list[str], environment: dict[str, str], stdin: int, streams: tuple[Stream, ...]
) -> list[int]:
    """Starts the rank. Signals go on to it as long as its process stands in the list that is returned."""
    children: list[int] = []

    def forward(number: int, _: object) -> None:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    for number in FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)  # one that comes before the child is known would be lost
    children.append(start(argv, environment, stdin, streams))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    return children


def prepare(folder: Path, archives: list[str]) -> None:
    """The run's folder with its files, made by whichever rank of the node comes first. Raises OSError, TarError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = folder.parent / ".unpacked"
    with (folder.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            for archive in archives:
                unpack(Path(archive), folder)
            done.touch()


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks an archive that the operator's side made, of plain files below the folder. Raises OSError, TarError."""
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="data")
        else:  # Debian 12's Python, 3.11.2
            tar.extractall(folder)  # noqa: S202


def environment_of(options: Options) -> dict[str, str]:
    """The rank's environment: what the launcher gave, and the run's own on top."""
    environment = dict(os.environ)
    if environment.get("HOME", "/dev/null") == "/dev/null":  # so that a launcher reads no settings of a person's own
        environment["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
    for name in options.unset:
        environment.pop(name, None)
    return {**environment, **options.set, TOKEN_VARIABLE: options.token}


class Stream:
    """What the rank prints on standard output or error: passed on as it comes; of much, its beginning and its end.

    Launchers keep whatever comes faster than it is read, Open MPI 5 kilobytes for each line of it.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        # a terminal where the launcher gives one, so that the rank does not hold its lines back
        self.source, self.inner = os.openpty() if os.isatty(target) else os.pipe()
        if os.isatty(self.inner):
            tty.setraw(self.inner)
        self._passed = self._kept = 0
        self._end = bytearray()

    def take(self) -> bool:
        """Takes a piece; False at the stream's end."""
        try:
            piece = os.read(self.source, PIECE_BYTES)
        except OSError:  # a terminal that nobody holds any more
            piece = b""
        now = piece[: max(0, PASSED_BYTES - self._passed)]
        self._write(now)
        self._passed += len(now)
        self._end += piece[len(now) :]
        self._kept += len(piece) - len(now)
        if len(self._end) > 2 * END_BYTES:
            del self._end[:-END_BYTES]
        return bool(piece)

    def finish(self) -> None:
        """Passes on what the rank printed last; whoever else holds the stream is not waited for."""
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline and select.select([self.source], [], [], 0)[0] and self.take():
            pass
        end = bytes(self._end[-END_BYTES:])
        if left_out := self._kept - len(end):
            self._write(f"\n[convscale: {left_out} bytes of this rank's output are left out here]\n".encode())
        self._write(end)

    def _write(self, piece: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # the launcher has ended
            while piece:
                piece = piece[os.write(self.target, piece) :]


def start(argv: list[str], environment: dict[str, str], stdin: int, streams: tuple[Stream, ...]) -> int:
    """Starts the rank in a child that dies with its parent; returns its process id."""
    libc = ctypes.CDLL(None)
    child = os.fork()
    if child:
        for number in (stdin, *(stream.inner for stream in streams)):
            os.close(number)
        return child
    try:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (*FORWARDED, signal.SIGPIPE, signal.SIGXFSZ):  # Python's own interpreter ignores the last two
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        os.dup2(stdin, 0)
        for stream in streams:
            os.dup2(stream.inner, stream.target)
        os.execvpe(argv[0], argv, environment)  # noqa: S606  the person's own program
    except OSError as error:
        print(f"convscale: {argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
    os._exit(NOT_STARTED)


def wait(child: int, streams: tuple[Stream, ...]) -> int | None:
    """Waits for the rank's end, and leaves it to be reaped; its largest swap in bytes, where it lived long enough."""
    handle = os.pidfd_open(child)
    open_streams = {stream.source: stream for stream in streams}
    swap_bytes: int | None = None
    sampled = time.monotonic()
    while handle not in (ready := select.select([handle, *open_streams], [], [], SAMPLE_S)[0]):
        for source in ready:
            if not open_streams[source].take():
                del open_streams[source]
        if time.monotonic() - sampled >= SAMPLE_S:
            sampled, now = time.monotonic(), swap_of(child)
            swap_bytes = swap_bytes if now is None else max(swap_bytes or 0, now)
    os.close(handle)
    return swap_bytes


def swap_of(child: int) -> int | None:
    """How many bytes of the rank are swapped out now; None where it has ended."""
    try:
        text = Path(f"/proc/{child}/status").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmSwap:")), 0)


def processor(child: int) -> int | None:
    """The core on which the rank ran last."""
    try:
        return int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[36])
    except (OSError, ValueError, IndexError):
        return None


def steal_s() -> float:
    """Seconds since boot, over all cores, that the hypervisor gave to others."""
    try:
        return int(Path("/proc/stat").read_text().split()[8]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def report(token: str, document: dict[str, Any]) -> None:
    """One line in one write: whatever else is printed cannot come between."""
    os.write(2, f"\n{MARK} {token} {json.dumps(document)}\n".encode())


def end_by(number: int) -> NoReturn:
    """Ends as the rank did, so that the launcher tells of the signal; only the rank leaves a core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(number, signal.SIG_DFL) if number not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(os.getpid(), number)
    signal.pause()
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(Options(sys.argv[1:])))
