"""The process that works at one cluster of a campaign, where several are at work at once.

It carries out one step after the other, as it is told over a connection, and ends with whoever tells it: a campaign
that is killed leaves its clusters as they are, whether one was at work or several.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from orchestration.campaign.steps import FAULTS, CampaignSteps
from orchestration.errors import Refusal

if TYPE_CHECKING:
    from orchestration.sweep.prepare import Request

DONE, REFUSED, STOPPED, INTERRUPTED, FAULT = "done", "refused", "stopped", "interrupted", "fault"


@dataclass(frozen=True)
class ClusterTask:
    """What it is told first: the request of a sweep, and by which name the person called us."""

    request: Request
    program: str


@dataclass(frozen=True)
class StepOrder:
    """A step of CampaignSteps, with what it is given."""

    number: int
    step: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class StepInterrupt:
    """The step of that number is to end, as by Ctrl-C."""

    number: int


@dataclass(frozen=True)
class SweepBegun:
    """An answer before the last: the sweep's folder."""

    folder: Path


@dataclass(frozen=True)
class StepAnswer:
    """How a step ended: DONE with its value, or else with the words of what it raised."""

    end: str
    value: Any = None


class ClusterProcess:
    """This process."""

    def __init__(self, connection: Connection, steps: CampaignSteps) -> None:
        self._connection = connection
        self._steps = steps
        self._orders: SimpleQueue[StepOrder | None] = SimpleQueue()
        self._at_work = 0  # the number of the step, 0 between two
        self._interrupted = 0  # the number of the last that is to end

    def serve(self) -> None:
        """Carries out what it is told until the other end is closed."""
        signal.signal(signal.SIGINT, self._on_signal)
        threading.Thread(target=self._listen, daemon=True).start()
        while (order := self._orders.get()) is not None:
            self._connection.send(self._carried_out(order))

    def _listen(self) -> None:
        """An interrupt must be heard while a step is at work."""
        try:
            while True:
                message = self._connection.recv()
                if not isinstance(message, StepInterrupt):
                    self._orders.put(message)
                    continue
                self._interrupted = message.number
                if self._at_work == message.number:
                    os.killpg(0, signal.SIGINT)  # as a terminal does: Pulumi's engine and ssh end as well
        except (EOFError, OSError):
            if self._at_work:
                os._exit(1)
            self._orders.put(None)

    def _on_signal(self, *_: object) -> None:
        if self._at_work:
            raise KeyboardInterrupt

    def _carried_out(self, order: StepOrder) -> StepAnswer:
        try:
            try:
                return self._tried(order)
            finally:
                self._at_work = 0
                sys.stdout.flush()
        except KeyboardInterrupt:
            self._at_work = 0
            return StepAnswer(INTERRUPTED)

    def _tried(self, order: StepOrder) -> StepAnswer:
        self._at_work = order.number
        if self._interrupted == order.number:
            raise KeyboardInterrupt
        more = [self._begun] if order.step == "sweep" else []
        try:
            return StepAnswer(DONE, getattr(self._steps, order.step)(*order.values, *more))
        except Refusal as refusal:
            return StepAnswer(REFUSED, str(refusal))
        except FAULTS as error:
            return StepAnswer(STOPPED, str(error) or type(error).__name__)
        except Exception as error:
            traceback.print_exc()
            return StepAnswer(FAULT, repr(error))

    def _begun(self, folder: Path) -> None:
        self._connection.send(SweepBegun(folder))


def serve(descriptor: int) -> None:
    """Works at a cluster, as it is told over the connection of that descriptor."""
    from orchestration.tasks.campaign_steps import steps_of
    from orchestration.tasks.common import operator
    from orchestration.tasks.program import begin

    os.set_inheritable(descriptor, False)
    connection = Connection(descriptor)
    task = connection.recv()
    sys.argv[:] = [task.program]
    begin(sys.argv)
    ClusterProcess(connection, steps_of(task.request, operator())).serve()
