"""A copy of the checkout with clusters that have a made-up price, in which tests carry campaigns out whole."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.orchestration.conftest import STUDY
from tests.orchestration.support import FAB, copy_checkout
from workload.record.campaign import LEDGER, RecordedCampaign, read_campaign
from workload.record.ledger import read_ledger

CODE = "orchestration/provision/priced.py"
REGISTER = "orchestration/provision/providers.py"
LIMIT_S = 600


@dataclass(frozen=True)
class Checkout:
    """The copy in `tree`."""

    tree: Path

    def begin(self, *words: str, clusters: str) -> subprocess.Popen[str]:
        """A campaign; this machine's turn is waited for."""
        command = [str(FAB), "sweep", "--clusters", clusters, "--study", "small.toml", "--wait", *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.tree, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def sweep(self, *words: str, clusters: str, status: int = 0) -> str:
        """A campaign from its start to its end; what it printed."""
        process = self.begin(*words, clusters=clusters)
        said, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode == status, said
        return said

    @property
    def ledger(self) -> Path:
        (found,) = (self.tree / "results" / "runs").glob(f"*/{LEDGER}")
        return found

    @property
    def campaign(self) -> RecordedCampaign:
        return read_campaign(self.ledger.parent)

    def place(self, event: str, cluster: str) -> int:
        """Of the first such event in the ledger."""
        events = read_ledger(self.ledger).events
        return [(each["event"], each.get("cluster")) for each in events].index((event, cluster))

    def sweeps(self) -> list[str]:
        return sorted(path.parent.name for path in (self.tree / "results" / "runs").glob("small-*/ledger.jsonl"))

    def is_up(self, cluster: str) -> bool:
        return (self.tree / "infra" / "clusters" / cluster).exists()

    def jobs(self, cluster: str) -> list[Path]:
        """What says that a run of a sweep there is at work."""
        return list((self.tree / "results" / "runs").glob(f"small-{cluster}-*/.jobs/*/supervisor.json"))

    def clear(self) -> None:
        shutil.rmtree(self.tree / "results" / "runs", ignore_errors=True)
        shutil.rmtree(self.tree / "infra" / "clusters", ignore_errors=True)
        (self.tree / "mended").unlink(missing_ok=True)


def copied(folder: Path, *spared: str) -> Checkout:
    """A new copy, whose sweeps are spared that."""
    copy = copy_checkout(folder, *spared)
    shutil.copy(Path(__file__).with_name("priced.py"), copy / CODE)
    text = (copy / REGISTER).read_text()
    own_machines = "from orchestration.provision.own_machines import OwnMachines\n"
    text = text.replace(own_machines, f"{own_machines}from orchestration.provision.priced import Priced\n")
    text = text.replace("        OWN_MACHINES,\n", "        Priced(),\n        OWN_MACHINES,\n")
    (copy / REGISTER).write_text(text)
    (copy / "small.toml").write_text(STUDY)
    return Checkout(copy)
