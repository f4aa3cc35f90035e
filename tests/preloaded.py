"""Processes of ours that find their libraries loaded: each is forked from one that has loaded them.

Half the CPU time of a sweep of stand-ins, and more where a report is made, goes into loading libraries. A process from
here is one like any other: a number, pipes and an exit status of its own, and signals reach it alone. Only what an
interpreter does at its start was done earlier, in the environment of the tests. Tests that are about that start one of
their own.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = (
    *("fabric.main", "jinja2", "matplotlib.backends.backend_svg", "matplotlib.figure", "numpy", "PIL.Image", "psutil"),
    *("pydantic", "rich.console", "rich.progress", "rich.table", "scipy.optimize", "scipy.special"),
)
# Not the tasks, which look at the environment when they are imported
OURS = (
    *("orchestration.checks.canary", "orchestration.forecast.sweep"),
    *("orchestration.provision.providers", "orchestration.sweep.prepare"),
)
REQUEST_BYTES = 2**17


class Process:
    """What tests use of subprocess.Popen, of a child of another process."""

    def __init__(self, args: Sequence[str], pid: int, pipes: Sequence[int], end: int) -> None:
        self.args, self.pid = args, pid
        self.returncode: int | None = None
        self._end = end  # its exit status will come from there
        self._said = [""] * len(pipes)
        self._readers = [threading.Thread(target=self._read, args=item, daemon=True) for item in enumerate(pipes)]
        for reader in self._readers:
            reader.start()

    def _read(self, place: int, pipe: int) -> None:
        with os.fdopen(pipe) as stream:
            self._said[place] = stream.read()

    def poll(self) -> int | None:
        return self.returncode if self._ended(0.0) else None

    def wait(self, timeout: float | None = None) -> int | None:
        if not self._ended(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode

    def _ended(self, limit_s: float | None) -> bool:
        if self.returncode is None and select.select([self._end], [], [], limit_s)[0]:
            with os.fdopen(self._end) as end:
                self.returncode = os.waitstatus_to_exitcode(int(end.read()))
        return self.returncode is not None

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """All that was said, once it and whoever has its pipes have closed them."""
        for reader in self._readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        self.wait(timeout)
        out, err = self._said
        return out, err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def completed(process: subprocess.Popen[str] | Process) -> subprocess.CompletedProcess[str]:
    """How it ended and all that it said."""
    out, err = process.communicate(timeout=600)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


class Preloader:
    """The process that has loaded the libraries and the rooms of a checkout, isolated as bin/convscale is.

    It starts with the first request.
    """

    def __init__(self, checkout: Path = ROOT) -> None:
        self.checkout = checkout
        self._door: socket.socket | None = None
        self._parent: subprocess.Popen[bytes] | None = None

    def start(
        self,
        program: str | Path,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path | None = None,
    ) -> Process:
        """Runs a module or a script in a folder, else in the checkout, as `python -E -s program arguments` would."""
        words = [str(program), *arguments]
        asked = {"words": words, "environment": dict(environment), "folder": str(folder or self.checkout)}
        ours, theirs = zip(*(os.pipe() for _ in range(3)), strict=True)
        door = self._opened()
        socket.send_fds(door, [json.dumps(asked).encode()], theirs)
        for pipe in theirs:
            os.close(pipe)
        pid = int(door.recv(REQUEST_BYTES) or b"0")
        assert pid, "the preloader has ended"
        return Process(words, pid, ours[:2], ours[2])

    def _opened(self) -> socket.socket:
        if self._door is None:
            self._door, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._parent = subprocess.Popen(
                [sys.executable, "-E", "-s", __file__, str(theirs.fileno()), str(self.checkout)],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
            theirs.close()
        return self._door

    def close(self) -> None:
        if self._door is not None and self._parent is not None:
            self._door.close()
            self._parent.wait()


def serve(door: socket.socket) -> tuple[dict, list[int]] | None:
    """Forks for each request, and tells how each child ended; returns the request in a child, at the end None."""
    ends: dict[int, tuple[int, int]] = {}  # by a file that is readable when the child has ended: its number and pipe
    with selectors.DefaultSelector() as watched:
        watched.register(door, selectors.EVENT_READ)
        while True:
            for key, _ in watched.select():
                if key.fd in ends:
                    pid, pipe = ends.pop(key.fd)
                    watched.unregister(key.fd)
                    os.write(pipe, str(os.waitpid(pid, 0)[1]).encode())
                    os.close(pipe)
                    os.close(key.fd)
                    continue
                request, pipes, *_ = socket.recv_fds(door, REQUEST_BYTES, 3)
                if not request:
                    return None
                pid = os.fork()
                if pid == 0:
                    for file in (door.detach(), pipes.pop(), *ends, *(pipe for _, pipe in ends.values())):
                        os.close(file)
                    return json.loads(request), pipes
                for pipe in pipes[:2]:
                    os.close(pipe)
                watch = os.pidfd_open(pid)
                ends[watch] = (pid, pipes[2])
                watched.register(watch, selectors.EVENT_READ)
                door.send(str(pid).encode())


def become(request: dict, pipes: Sequence[int]) -> None:
    """Turns a child into the process that was asked for."""
    for number, pipe in enumerate(pipes, start=1):
        os.dup2(pipe, number)
        os.close(pipe)
    # as an interpreter opens them, which asks what kind of file each is
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = request["words"]
    if Path(sys.argv[0]).is_absolute():
        runpy.run_path(sys.argv[0], run_name="__main__")
    else:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def main(door: int, checkout: str) -> None:
    sys.path[0] = checkout
    for name in (*LIBRARIES, *OURS):
        importlib.import_module(name)
    gc.freeze()  # children leave what is loaded alone: at its end, each would look through all of it
    try:
        child = serve(socket.socket(fileno=door))
    except KeyboardInterrupt:  # of the whole terminal
        return
    if child is not None:
        become(*child)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
