"""What the tasks share: early ends, the project's folders, and objects made of the clock, environment and terminal.

Nothing below the tasks reads the clock, the environment or the terminal by itself.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from invoke.exceptions import Exit

from orchestration.errors import Refusal, Stopped
from orchestration.folders import own_folder
from orchestration.tasks.printing import as_typed, console, short

if TYPE_CHECKING:
    from orchestration.clusters.inventory import Inventory
    from orchestration.clusters.registry import Clusters
    from orchestration.operator import Operator
    from orchestration.sweep.prepare import Surroundings

ROOT = Path(__file__).resolve().parents[2]
PROJECT_RUNS = ROOT / "results" / "runs"
RUNS = own_folder(PROJECT_RUNS, "runs", os.environ, inside=(".images", ".checks", ".probes", ".submitted"))
P = ParamSpec("P")


def reports_errors(body: Callable[P, None]) -> Callable[P, None]:
    """Turns the exceptions that end a task early into one line and an exit status."""

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            body(*args, **kwargs)
            sys.stdout.flush()  # here, where a closed pipe ends the task quietly
        except Refusal as refusal:
            raise Exit(as_typed(f"convscale: {refusal}"), code=2) from refusal
        except Stopped as stopped:
            raise Exit(as_typed(f"convscale: {stopped}"), code=1) from stopped
        except KeyboardInterrupt:
            raise Exit("convscale: interrupted: what is recorded is kept", code=1) from None
        except BrokenPipeError:  # whoever reads our output has closed it, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(code=1) from None

    return wrapped


@contextmanager
def terminable() -> Iterator[None]:
    """Inside it, SIGTERM ends the task as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def utc_now() -> str:
    """The time now, as ISO 8601."""
    from workload.agent.supervise import utc_now

    return utc_now()


def known_clusters() -> Clusters:
    """Every cluster that `--cluster` takes."""
    from orchestration.provision.providers import clusters_of

    return clusters_of(ROOT, os.environ)


def find(cluster: str) -> Inventory:
    """The inventory of a cluster's name or path. Raises Refusal."""
    return known_clusters().find(cluster, utc_now())


def find_living(cluster: str) -> Inventory:
    """The inventory of a cluster whose lifetime is not over. Raises Refusal."""
    from orchestration.clusters.lifetime import living

    return living(find(cluster), utc_now())


def find_remote(cluster: str) -> Inventory:
    """The inventory of a cluster that is not this machine. Raises Refusal."""
    found = find(cluster)
    if found.is_this_machine:
        raise Refusal(f"cluster {cluster} is this machine: there is no other to reach; give another --cluster")
    if found.slurm is not None:
        raise Refusal(f"cluster {cluster} is a Slurm job, whose nodes share this folder: srun reaches them")
    return found


def surroundings() -> Surroundings:
    """The surroundings of a sweep that is started from this terminal."""
    from orchestration.jobs.environment import kept_environment, of_slurm, slurm_is_configured, unused
    from orchestration.paths import RunsFolder
    from orchestration.sweep.prepare import Surroundings

    environment = dict(os.environ)
    elsewhere = f"{short(PROJECT_RUNS)} cannot be written here: sweeps, pictures and probes lie in {RUNS.parent}"
    slurm = of_slurm(environment, slurm_is_configured(environment))
    remarks = (*unused(environment), *slurm, *([] if RUNS == PROJECT_RUNS else [elsewhere]))
    kept = kept_environment(environment)
    return Surroundings(known_clusters(), RunsFolder(RUNS), utc_now, kept, person=environment, remarks=remarks)


def operator(yes: bool = False) -> Operator:
    """The person at this terminal; `yes` agrees to everything."""
    import time

    from orchestration.operator import Operator, Person, WallClock
    from orchestration.paths import RunsFolder

    person = Person(console(), yes, input if sys.stdin.isatty() else None)
    clock = WallClock(time.monotonic, utc_now, time.sleep)
    return Operator(ROOT, RunsFolder(RUNS), dict(os.environ), person, clock)
