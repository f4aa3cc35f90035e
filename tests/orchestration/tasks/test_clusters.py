"""What a person types to make a cluster, and reads where it is wrong: one line and exit status 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.orchestration.support import ROOT

FAB = Path(sys.executable).parent / "fab"
TASKS = ("up", "down", "push", "inventory", "trust", "ssh", "clean")


def fab(*arguments, **environment):
    return subprocess.run(
        [str(FAB), *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_menu_has_them():
    listed = fab("--list").stdout
    assert all(f"  {name} " in listed for name in TASKS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["up", "--cluster", "compose-lite"], "'compose-lite' is unknown (did you mean compose-light?)"),
        (["down", "--cluster", "local"], "cluster that fab brings up 'local' is unknown"),
        (["up", "--cluster", "fat", "--budget", "much"], "--budget 'much' is no amount"),
        (["up", "--cluster", "Pulumi.big.yaml"], "cluster that fab brings up 'Pulumi.big.yaml' is unknown"),
        (["down", "--orphans", "--yes"], "would delete every cluster of the project: name one"),
        (["inventory", "--cluster", "big"], "there is no Pulumi.big.yaml"),
        (["sweep", "--cluster", "fat"], "cluster fat is not up: start it with 'fab up --cluster fat'"),
        (["push", "--cluster", "local"], "is this machine"),
        (["ssh", "--cluster", "local"], "is this machine"),
        (["trust", "--cluster", "no-such"], "cluster 'no-such' is unknown"),
        (["report", "--cluster", "no-such"], "cluster 'no-such' is unknown"),
        (["check", "--study", "no-such"], "study 'no-such' is unknown"),
        (["clean", "--cluster", "local", "--sweep", "/no"], "--sweep /no is no sweep's folder"),
        (["push", "--cluster", "/no/inventory.json"], "/no/inventory.json: the inventory cannot be read"),
        (["sweep", "--cluster", "local", "--down-after"], "cluster that fab brings up 'local' is unknown"),
        (["inventory", "--hosts", "-oProxyCommand=x", "--name", "tests-hostile"], "nodes[0]"),
        (["inventory", "--hosts", "a", "--name", "../x"], "'../x'"),
        (["inventory", "--hosts", "a", "--name", "local"], "'local'"),
        (
            ["inventory", "--hosts", "a", "--name", "tests-slots", "--slots", "many"],
            "--slots 'many' is no whole number",
        ),
        (["inventory", "--hosts", "a", "--name", "tests-slots", "--slots", "0", "--memory-gib", "1"], "slots = 0"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, words):
    done = fab(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (ROOT / "infra/clusters" / "tests-hostile").exists()
    assert not (ROOT / "infra/clusters" / "tests-slots").exists()


def test_without_an_engine_up_says_what_to_install(tmp_path):
    done = fab("up", "--cluster", "compose-light", PATH=str(tmp_path))
    assert done.returncode == 2
    assert "no container engine answers on this machine (docker is not installed)" in done.stderr


def test_without_pulumi_up_says_what_to_install(tmp_path):
    done = fab("up", "--cluster", "fat", PATH=str(tmp_path))
    assert done.returncode == 2
    assert "the program 'pulumi' is not on PATH: install it" in done.stderr
