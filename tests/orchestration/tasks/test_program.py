"""`fab` in the checkout and bin/convscale elsewhere: the same tasks, and paths from where the person stands."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

import fabfile
from orchestration.errors import Refusal
from orchestration.tasks import arguments
from tests.orchestration.conftest import STUDY
from tests.orchestration.support import FAB, ROOT, copy_checkout, make_inventory
from workload.record.files import write_json


@dataclass
class Stand:
    """Where a person stands, and the program that they type."""

    program: Path
    folder: Path

    def type(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.program), *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def said(self, *arguments: str) -> str:
        done = self.type(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def path(self, path: Path) -> str:
        """As the person types it."""
        return os.path.relpath(path, self.folder)


def linked(folder: Path, target: Path) -> Path:
    """A link to a link to the launcher, the second of them relative, in a folder with a space in its name."""
    (folder / "my bin").mkdir()
    (folder / "my bin" / "installed").symlink_to(target)
    (folder / "my bin" / "convscale").symlink_to("installed")
    return folder / "my bin" / "convscale"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """With a space in its path."""
    return copy_checkout(tmp_path_factory.mktemp("copy") / "my checkout")


@pytest.fixture
def elsewhere(checkout, tmp_path):
    (tmp_path / "my work").mkdir()
    return Stand(linked(tmp_path, checkout / "bin" / "convscale"), tmp_path / "my work")


@pytest.fixture(params=["fab", "convscale"])
def stand(request, checkout, elsewhere):
    return elsewhere if request.param == "convscale" else Stand(FAB, checkout)


def tasks(listed):
    return re.findall(r"^  (\w+)  ", listed, re.MULTILINE)


def test_both_have_the_same_tasks(stand):
    assert tasks(stand.said("--list")) == sorted(fabfile.__all__)


def test_it_is_called_by_its_own_name(elsewhere):
    assert elsewhere.said("--help").startswith("Usage: convscale ")
    assert elsewhere.said("sweep", "--help").startswith("Usage: convscale ")
    assert re.fullmatch(r"convscale \d+\.\d+\.\d+\n", elsewhere.said("--version"))
    done = elsewhere.type("push", "--cluster", "compose-fat")
    assert done.returncode == 2
    assert "start it with 'convscale up --cluster compose-fat'" in done.stderr


@pytest.mark.thorough
def test_names_are_the_projects(stand):
    assert {"quick", "paper"} <= {line.split()[0] for line in stand.said("studies").splitlines()}
    assert {"local", "compose-light"} <= {line.split()[0] for line in stand.said("clusters").splitlines()}
    assert "findings: " in stand.said("audit", "--published")


@pytest.mark.thorough
def test_paths_are_taken_from_where_the_person_stands(stand, checkout, tmp_path):
    mine = tmp_path / "my study"
    (mine / "pictures").mkdir(parents=True)
    for number in range(8):
        Image.effect_noise((32, 32), 100).save(mine / "pictures" / f"{number}.png")
    (mine / "small.toml").write_text(STUDY)
    write_json(mine / "inventory.json", make_inventory(2).model_dump(mode="json", exclude_none=True))
    study, out, other = (stand.path(mine / name) for name in ("small.toml", "out", "other"))

    cluster = stand.path(mine / "inventory.json")
    said = stand.said(
        "sweep", "--study", study, "--cluster", cluster, "--images", stand.path(mine / "pictures"), "--out", out
    )
    assert printed(stand, said).samefile(mine / "out" / "report.html")
    assert (checkout / "results" / "runs" / "latest").samefile(mine / "out")
    assert "0 waiting" in stand.said("status", "--sweep", out)
    said = stand.said("report", "--sweep", out, "--out", stand.path(mine / "again"))
    assert printed(stand, said).samefile(mine / "again" / "report.html")
    # a machine that is busy with other tests may well leave something to find
    assert stand.type("audit", "--sweep", out, "--out", stand.path(mine / "audit")).returncode in (0, 1)
    assert list((mine / "audit").iterdir())
    shutil.copytree(mine / "out", mine / "other")
    assert stand.said("compare", out, other).startswith("Comparison")


def printed(stand, said):
    """The path of the report, as the person would give it to another program."""
    (path,) = re.findall(r"^report: (.+)$", said, re.MULTILINE)
    return stand.folder / path


def test_a_sweep_of_the_project_goes_by_its_name(elsewhere, monkeypatch, tmp_path):
    monkeypatch.setattr(arguments, "RUNS", tmp_path / "runs")
    monkeypatch.chdir(elsewhere.folder)
    for folder in (tmp_path / "runs" / "one", tmp_path / "runs" / "two", elsewhere.folder / "two"):
        (folder / "records").mkdir(parents=True)
    assert arguments.sweep_folder("one") == tmp_path / "runs" / "one"
    assert arguments.sweep_folder("two") == elsewhere.folder / "two"
    with pytest.raises(Refusal, match=re.escape(f"give one under {tmp_path / 'runs'}")):
        arguments.sweep_folder("three")


def test_a_checkout_that_is_not_installed_says_what_to_do(tmp_path):
    checkout = tmp_path / "my checkout"
    (checkout / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "bin" / "convscale", checkout / "bin")
    done = Stand(linked(tmp_path, checkout / "bin" / "convscale"), tmp_path).type("--list")
    assert done.returncode == 2
    assert done.stderr == (
        f"convscale: {checkout} is not installed: run 'make sweep' there, or 'make .venv/installed' to install alone\n"
    )
