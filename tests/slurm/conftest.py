"""A cluster of Slurm's with four nodes, and `fab sweep` in its jobs through the real srun."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.conftest import Desk
from tests.cluster.host import TOKEN, wait_for
from tests.orchestration.support import FAB, copy_checkout
from tests.preloaded import Preloader
from tests.slurm.daemons import Slurm, reason_against
from workload.record.kinds import read_record


@dataclass
class Login(Desk):
    """A person on the login node, which this machine is: a folder with a study, and the sweeps of it in jobs."""

    hosts: Slurm = field(kw_only=True)
    root: Path = field(kw_only=True)  # the checkout, with its results/runs
    python = sys.executable

    def salloc(self, *asked: str, behaviour: str = "bare", **flags: object) -> subprocess.CompletedProcess[str]:
        """A sweep in an allocation, from here."""
        return self.end(self.start(["salloc", "--quiet", *asked, *self.words(behaviour, **flags)]))

    def sbatch(
        self,
        *asked: str,
        words: Sequence[str] = (),
        settings: Path | None = None,
        behaviour: str = "bare",
        **flags: object,
    ) -> int:
        """Submits a sweep, or the words, which run on the first node of the job; the job's number."""
        script = self.folder / "batch"
        line = shlex.join([str(word) for word in words or self.words(behaviour, **flags)])
        script.write_text(
            f"#!/bin/sh\ncd {self.root}\nexport SLURM_CONF={settings or self.hosts.settings}\nexec {line}\n"
        )
        out = f"--output={self.folder}/batch-%j"
        return int(self.hosts.run("sbatch", "--parsable", out, *asked, str(script)))

    def left(self) -> list[str]:
        return super().left() + [str(path) for path in self.paths.jobs.glob("*") if TOKEN.search(path.name)]

    def said(self, job: int) -> str:
        """What a batch job printed."""
        return (self.folder / f"batch-{job}").read_text()

    def words(self, behaviour: str, **flags: object) -> list[str]:
        given = {"study": self.folder / "small.toml", "out": self.paths.folder, "cluster": "slurm"} | flags
        driver = [sys.executable, "-m", "tests.orchestration.driver", str(self.folder / "runs"), behaviour]
        return driver + [f"{name}={value}" for name, value in given.items()]

    def start(self, words: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            words, cwd=self.root, env=self.hosts.environment | dict(environment or {}), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def fab_in(self, asked: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
        """A task of the menu in an allocation; without `asked`, on the login node."""
        if asked:
            return self.end(self.start(["salloc", "--quiet", *asked, str(FAB), *arguments]))
        return self.end(self.preloader.start(FAB, arguments, self.hosts.environment, self.root))

    def set_aside(self) -> dict[int, dict]:
        """Records of launches that a job did not finish, by rank count."""
        found = [read_record(path) for path in self.paths.superseded.glob("*.json")]
        return {record["run"]["ranks"]: record for record in found}

    def waits(self, job: int) -> str:
        """The job's state once it is over."""
        queued = ["sh", "-c", f"squeue --noheader --job={job} 2>/dev/null || true"]
        wait_for(lambda: not self.hosts.run(*queued).strip(), 600)
        found = self.hosts.run("scontrol", "show", "job", "--oneliner", str(job))
        return next(word.partition("=")[2] for word in found.split() if word.startswith("JobState="))


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if reason := reason_against():
        pytest.skip(reason)
    with Slurm(tmp_path_factory.mktemp("slurm"), 4, shared=tmp_path_factory.getbasetemp()) as made:
        yield made


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of these tests alone, where all nodes see it; its sweeps have neither canary nor report."""
    target = tmp_path_factory.mktemp("checkout") / "convscale"
    return copy_checkout(target, "canary", "report", with_tests=True)


@pytest.fixture(scope="session")
def whole_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another, whose sweeps are as a person's."""
    return copy_checkout(tmp_path_factory.mktemp("whole") / "convscale")


@pytest.fixture(scope="session")
def preloader_there(checkout: Path) -> Iterator[Preloader]:
    """Of the checkout."""
    made = Preloader(checkout)
    yield made
    made.close()


@pytest.fixture
def login(tmp_path: Path, slurm: Slurm, checkout: Path, preloader_there: Preloader) -> Iterator[Login]:
    made = Login(tmp_path, hosts=slurm, preloader=preloader_there, root=checkout)
    made.study([2, 4])
    yield made
    made.close()
    slurm.cancel_all()
    shutil.rmtree(made.root / "results" / "runs", ignore_errors=True)
    for host in slurm.hosts:
        host.clean()
    slurm.wait_for_idle()


@pytest.fixture
def whole_login(login: Login, whole_checkout: Path) -> Iterator[Login]:
    """The same person in the checkout whose sweeps have canary and report."""
    login.root, login.preloader = whole_checkout, Preloader(whole_checkout)
    yield login
    login.preloader.close()
