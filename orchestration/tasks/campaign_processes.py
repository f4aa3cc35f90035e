"""The steps of a campaign with several clusters at work at once: each cluster's in a process of its own.

Signals, the current folder, what is printed and Pulumi's engine belong to a process, and all tasks are written for one
that has them alone: Ctrl-C is an exception in its main thread, and a terminal sends it to everything that it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from orchestration.campaign.steps import CampaignSteps, SweepEnd
from orchestration.clusters.inventory import Inventory
from orchestration.clusters.provider import ClusterOffer
from orchestration.errors import Refusal, Stopped
from orchestration.python import isolated
from orchestration.sweep.prepare import Request
from orchestration.tasks.campaign_process import (
    DONE,
    FAULT,
    INTERRUPTED,
    REFUSED,
    ClusterTask,
    StepAnswer,
    StepInterrupt,
    StepOrder,
)
from orchestration.tasks.common import ROOT

CODE = (
    "import sys; sys.path[0] = sys.argv[1]; from orchestration.tasks.campaign_process import serve; "
    "serve(int(sys.argv[2]))"
)
ENDING = ("pull", "down")  # steps that are made although a person has asked to end
END_S = 20.0  # that an idle process has to end


@dataclass
class ProcessSteps(CampaignSteps):
    """`request` is that of each sweep, `say` prints a line, `interrupts` is how often the person asked to end.

    Each cluster's steps are asked for by one thread. Every line that they print begins with the cluster's name.
    """

    request: Request
    say: Callable[[str], None]
    interrupts: Callable[[], int]
    _processes: dict[str, OtherProcess] = field(default_factory=dict)

    def up(self, cluster: str, offer: ClusterOffer, most: float | None) -> Inventory:
        found: Inventory = self._carried_out(cluster, "up", offer, most)
        return found

    def push(self, cluster: str) -> None:
        self._carried_out(cluster, "push")

    def check(self, cluster: str) -> None:
        self._carried_out(cluster, "check")

    def sweep(self, cluster: str, ends_at: str | None, folder: Path | None, begun: Callable[[Path], None]) -> SweepEnd:
        end: SweepEnd = self._carried_out(cluster, "sweep", ends_at, folder, begun=begun)
        return end

    def pull(self, cluster: str, folder: Path) -> None:
        self._carried_out(cluster, "pull", folder)

    def down(self, cluster: str) -> None:
        self._carried_out(cluster, "down")
        self._processes.pop(cluster).close()

    def interrupt(self, asked: int) -> None:
        """Ends the steps at work that were begun before the person asked for the so-manieth time."""
        for process in list(self._processes.values()):
            process.interrupt(asked)

    def close(self) -> None:
        """Ends the processes. None may be at work."""
        while self._processes:
            self._processes.popitem()[1].close()

    def _carried_out(
        self, cluster: str, step: str, *values: Any, begun: Callable[[Path], None] = lambda _: None
    ) -> Any:
        """What the step returns, or raises."""
        process = self._processes.get(cluster)
        if process is not None and process.is_over:
            process.close()
            process = None
        if process is None:
            process = self._processes[cluster] = OtherProcess(cluster, self.request, self.say, self.interrupts)
        return process.carry_out(step, (cluster, *values), begun)


class OtherProcess:
    """A process that works at a cluster, as this one sees it.

    It is in a session of its own: Ctrl-C at the terminal reaches this process alone, which passes it on once.
    """

    def __init__(
        self, cluster: str, request: Request, say: Callable[[str], None], interrupts: Callable[[], int]
    ) -> None:
        self._cluster = cluster
        self._interrupts = interrupts
        self._guard = threading.Lock()  # for what follows, and for sending
        self._number, self._asked, self._at_work = 0, 0, False
        self._connection, theirs = Pipe()
        printed, prints = os.pipe()
        command = isolated(sys.executable, "-c", CODE, str(ROOT), str(theirs.fileno()))
        self._process = subprocess.Popen(  # noqa: S603  our own program
            command,
            stdin=subprocess.DEVNULL,
            stdout=prints,
            stderr=prints,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
        theirs.close()
        os.close(prints)
        self._output = PrintedLines(printed, lambda line: say(f"{cluster}: {line}"))
        self._connection.send(ClusterTask(request, sys.argv[0]))

    @property
    def is_over(self) -> bool:
        """Whether it ended, by itself or killed."""
        return self._process.poll() is not None

    def carry_out(self, step: str, values: tuple[Any, ...], begun: Callable[[Path], None]) -> Any:
        """What the step returns. Raises what it raises, but for a lost head and a fault of the system: Stopped."""
        with self._guard:
            self._asked = self._interrupts()
            if self._asked and step not in ENDING:
                raise KeyboardInterrupt
            self._number += 1
            self._at_work = True
            self._connection.send(StepOrder(self._number, step, values))
        try:
            return _value(self._answer(begun))
        finally:
            with self._guard:
                self._at_work = False

    def interrupt(self, asked: int) -> None:
        """Ends the step at work, unless it was begun after the person asked for the so-manieth time."""
        with self._guard:
            if self._at_work and asked > self._asked:
                self._end_step()

    def close(self) -> None:
        """Ends it; it may not be at work."""
        self._connection.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def _end_step(self) -> None:
        """The caller holds the guard."""
        try:
            self._connection.send(StepInterrupt(self._number))
        except OSError:  # it is gone, as its answer will say
            return

    def _answer(self, begun: Callable[[Path], None]) -> StepAnswer:
        """The answer to the step at work; what is printed meanwhile is passed on.

        Raises Stopped, and what `begun` raises, once the step is ended.
        """
        wrong: OSError | None = None
        while True:
            if self._connection not in wait([self._connection, *self._output.open]):
                self._output.read()
                continue
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                raise self._died() from None
            if isinstance(message, StepAnswer):
                self._output.read()
                if wrong is not None:
                    raise wrong
                return message
            try:
                begun(message.folder)
            except OSError as error:
                wrong = error
                with self._guard:
                    self._end_step()

    def _died(self) -> Stopped:
        status = self._process.wait()
        self._output.read()
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return Stopped(f"the process that worked at {self._cluster} ended by itself ({how})")


class PrintedLines:
    """What a process prints, line by line."""

    def __init__(self, descriptor: int, say: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._say = say
        self._rest = b""
        self._over = False
        os.set_blocking(descriptor, False)

    @property
    def open(self) -> list[int]:
        """What to wait for: nothing once all is read."""
        return [] if self._over else [self._descriptor]

    def read(self) -> None:
        """Says every whole line that is there."""
        while not self._over:
            try:
                found = os.read(self._descriptor, 2**16)
            except BlockingIOError:
                break
            self._over = not found
            *lines, self._rest = (self._rest + found).split(b"\n")
            for line in lines:
                self._say(line.decode(errors="replace"))

    def close(self) -> None:
        """Says what is left, and reads no more."""
        self.read()
        if self._rest:
            self._say(self._rest.decode(errors="replace"))
        os.close(self._descriptor)


def _value(answer: StepAnswer) -> Any:
    """What a step returned. Raises what it raised."""
    if answer.end == DONE:
        return answer.value
    if answer.end == INTERRUPTED:
        raise KeyboardInterrupt
    if answer.end == FAULT:
        raise RuntimeError(answer.value)
    raise (Refusal if answer.end == REFUSED else Stopped)(answer.value)
