"""The paths of a sweep's folder, and of the folder that holds all sweeps."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workload.record.token import make_token


@dataclass(frozen=True)
class SweepPaths:
    """The files of one sweep; `folder` is absolute."""

    folder: Path

    @property
    def study(self) -> Path:
        return self.folder / "study.toml"

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.json"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def lease(self) -> Path:
        return self.folder / ".lease"

    @property
    def records(self) -> Path:
        return self.folder / "records"

    @property
    def superseded(self) -> Path:
        return self.records / "superseded"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def jobs(self) -> Path:
        return self.folder / ".jobs"

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"

    def record(self, run_id: str) -> Path:
        return self.records / f"{run_id}.json"

    def log(self, run_id: str) -> Path:
        return self.logs / f"{run_id}.log"

    def kept(self, run_id: str) -> Path:
        """What a program's run kept of its outputs."""
        return self.folder / "kept" / run_id

    def job(self, run_id: str) -> Path:
        return self.jobs / self.token(run_id)

    def picture(self, name: str) -> Path:
        return self.pictures / f"{name}.png"

    @property
    def mark(self) -> str:
        """The end of every token of this sweep; no two sweep folders share one."""
        return hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:8]

    def token(self, run_id: str) -> str:
        """What a run's processes carry in their arguments."""
        return make_token(run_id, self.mark)

    def superseded_record(self, run_id: str, attempt: int) -> Path:
        return self.superseded / f"{run_id}.{attempt}.json"

    def make(self) -> None:
        """Makes the folders. Raises OSError."""
        for folder in (self.records, self.superseded, self.logs, self.jobs, self.pictures):
            folder.mkdir(parents=True, exist_ok=True)

    def unmake(self) -> None:
        """Removes the folders of a sweep that never began, as far as they are empty."""
        with suppress(OSError):
            shutil.rmtree(self.lease, ignore_errors=True)
            for folder in (self.superseded, self.records, self.logs, self.jobs, self.pictures, self.folder):
                folder.rmdir()


@dataclass(frozen=True)
class RunsFolder:
    """The folder of all sweeps: results/runs."""

    folder: Path

    @property
    def latest(self) -> Path:
        return self.folder / "latest"

    @property
    def submitted(self) -> Path:
        """Holds a link to each sweep elsewhere that `fab submit` made, named by the sweep's mark."""
        return self.folder / ".submitted"

    def sweeps(self) -> list[SweepPaths]:
        """The sweeps here, the one worked at last first."""
        ledgers = [path for path in self.folder.glob("*/ledger.jsonl") if not path.parent.is_symlink()]
        ledgers.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [SweepPaths(path.parent.resolve()) for path in ledgers]

    def unused(self, name: str, utc: str) -> Path:
        """The path of a folder that is not there yet, named by what is given and the time; nothing is made."""
        begun = f"{name}-{utc[:19].replace('-', '').replace(':', '')}Z"
        folder = self.folder.absolute()
        taken = {path.name for path in folder.glob(f"{begun}*")}
        names = (begun if n == 1 else f"{begun}-{n}" for n in range(1, len(taken) + 2))
        return folder / next(text for text in names if text not in taken)

    def point_latest(self, sweep: SweepPaths) -> None:
        """Makes `latest` point to the sweep, in one step. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        inside = sweep.folder.parent == self.folder.resolve()
        partial = self.folder / f".latest.{os.getpid()}"
        partial.unlink(missing_ok=True)
        partial.symlink_to(sweep.folder.name if inside else sweep.folder)
        partial.replace(self.latest)
