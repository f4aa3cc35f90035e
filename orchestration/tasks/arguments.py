"""What a person types: lists, numbers and folders of sweeps, read and checked.

A path is taken from where the person stands; a bare name is a sweep under results/runs of the project.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import Refusal
from orchestration.tasks.common import RUNS
from orchestration.tasks.printing import short

if TYPE_CHECKING:
    from orchestration.paths import SweepPaths

CLUSTER = "a name that the task `clusters` lists, or the path of an inventory.json"
LOCAL_CLUSTER = f"{CLUSTER} (default: local)"
SWEEP = "folder of a sweep, or its name under results/runs"
NEWEST = f"{SWEEP} (default: the cluster's newest)"
TURN = {
    "wait": "where a sweep is at work on this machine, start when it is over",
    "concurrent": "run beside a sweep on this machine: both are disturbed, and both say so",
}
YES = "ask nothing: for scripts"


def words(text: str) -> tuple[str, ...]:
    """The words of a comma-separated list."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def numbers(flag: str, text: str) -> tuple[int, ...]:
    """The whole numbers of a comma-separated list. Raises Refusal."""
    try:
        return tuple(int(word) for word in words(text))
    except ValueError:
        raise Refusal(f"{flag} {text!r} is no list of whole numbers: give for example {flag} 1,2,4") from None


def several_clusters(text: str) -> tuple[str, ...]:
    """The clusters of a comma-separated list: each is known, and none is there twice, by whatever name.

    Raises Refusal.
    """
    from orchestration.tasks.common import known_clusters

    names = words(text)
    if not names:
        raise Refusal(f"--clusters {text!r} names none: give for example --clusters c3-highcpu-22x4,light")
    clusters = known_clusters()
    own: dict[str, str] = {}
    for name in names:
        clusters.provider(name)
        if (before := own.setdefault(clusters.kept_as(name), name)) != name:
            raise Refusal(f"--clusters has {before} and {name}, which are one cluster: name it once")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refusal(f"--clusters has {', '.join(twice)} twice: name each once")
    return names


def number(flag: str, text: str) -> int | None:
    """A whole number; None for no text. Raises Refusal."""
    try:
        return int(text) if text else None
    except ValueError:
        raise Refusal(f"{flag} {text!r} is no whole number: give for example {flag} 3") from None


def positive_count(flag: str, text: str) -> int | None:
    """A whole number of at least 1; None for no text. Raises Refusal."""
    found = number(flag, text)
    if found is not None and found < 1:
        raise Refusal(f"{flag} {text}: give a whole number of at least 1")
    return found


def amount(flag: str, text: str) -> float | None:
    """An amount of money; None for no text. Raises Refusal."""
    try:
        return float(text) if text else None
    except ValueError:
        raise Refusal(f"{flag} {text!r} is no amount: give for example {flag} 5") from None


def positive_amount(flag: str, text: str) -> float | None:
    """An amount of money above 0; None for no text. Raises Refusal."""
    found = amount(flag, text)
    if found is not None and not 0.0 < found < math.inf:
        raise Refusal(f"{flag} {text}: give an amount above 0")
    return found


def percentage(flag: str, text: str) -> float | None:
    """A share of 1, given in percent with or without its sign; None for no text. Raises Refusal."""
    if not text:
        return None
    try:
        share = float(text.removesuffix("%")) / 100.0
    except ValueError:
        share = 0.0
    if not 0.0 < share < 1.0:
        raise Refusal(f"{flag} {text!r} is no percentage between 0 and 100: give for example {flag} 3%")
    return share


def images_of(text: str) -> str | None:
    """A word for made pictures, or the absolute path of a folder; None for no text."""
    return text if text in ("sample", "synthetic") else str(Path(text).expanduser().absolute()) if text else None


def sweep_folder(name: str) -> Path:
    """The folder of a sweep with records, absolute. Raises Refusal."""
    return _sweep_with("records", name)


def sweep_paths(cluster: str, sweep: str) -> SweepPaths:
    """The sweep named, or the cluster's newest where none is. Raises Refusal."""
    from orchestration.paths import SweepPaths

    return SweepPaths(_sweep_with("ledger.jsonl", sweep)) if sweep else newest_sweep(cluster)


def newest_sweep(cluster: str) -> SweepPaths:
    """The newest sweep on a cluster, which need not be up. Raises Refusal."""
    from orchestration.paths import RunsFolder
    from orchestration.sweep.status import newest
    from orchestration.tasks.common import known_clusters, utc_now

    return newest(RunsFolder(RUNS), known_clusters().name_of(cluster, utc_now()))


def sweep_at(name: str) -> Path:
    """The path that a person gave, or that of a sweep's name; nothing is checked."""
    folder = Path(name).expanduser()
    return RUNS / name if "/" not in name and not folder.exists() and (RUNS / name).is_dir() else folder


def _sweep_with(file: str, name: str) -> Path:
    folder = sweep_at(name)
    if not (folder / file).exists():
        raise Refusal(f"--sweep {name} is no sweep's folder (it has no {file}): give one under {short(RUNS)}")
    return folder.resolve()
