"""Where campaigns lie: the one that goes on, and a new one's folder with its ledger."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestration.paths import RunsFolder, SweepPaths
from orchestration.sweep.ledger import Ledger
from orchestration.sweep.locks import locked
from workload.record.campaign import LEDGER, PLANNED, read_campaign
from workload.record.schema import SchemaError


@dataclass(frozen=True)
class CampaignIdentity:
    """What makes two starts of the command one campaign: study, code, and the clusters as typed, in their order."""

    study: str  # its name
    study_digest: str
    workload: str
    clusters: tuple[str, ...]


def find(runs: RunsFolder, identity: CampaignIdentity) -> Path | None:
    """The newest campaign of that identity, finished or not; one that cannot be read is none."""
    ledgers = sorted(runs.folder.glob(f"*/{LEDGER}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in ledgers:
        with suppress(SchemaError, OSError):
            found = read_campaign(path.parent.absolute())
            names = tuple(each.name for each in found.clusters)
            if CampaignIdentity(found.study, found.study_digest, found.workload, names) == identity:
                return found.folder
    return None


def new(runs: RunsFolder, identity: CampaignIdentity, utc: str) -> Path:
    """The path of another campaign's folder; nothing is made."""
    return runs.unused(f"{identity.study}-campaign", utc)


def begin(folder: Path, identity: CampaignIdentity, utc: str) -> None:
    """Writes the plan, once. Raises OSError."""
    if not (folder / LEDGER).exists():
        values = {"study_digest": identity.study_digest, "workload": identity.workload}
        Ledger(folder / LEDGER).append(PLANNED, utc, study=identity.study, clusters=list(identity.clusters), **values)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the folder, which is made: one `fab` at a time. One that never began leaves none. Raises Refusal."""
    try:
        with locked(SweepPaths(folder), lambda paths: paths.folder.mkdir(parents=True, exist_ok=True)):
            yield
    finally:
        if not (folder / LEDGER).exists():
            shutil.rmtree(folder / ".lease", ignore_errors=True)
            with suppress(OSError):
                folder.rmdir()
