"""Many nodes asked at once: each answer in its place, whatever becomes of the others. The programs travel as text."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.clusters.inventory import parse
from orchestration.executors.remote.fanout import Fanout
from orchestration.executors.remote.survey import SURVEY_SHAPE
from orchestration.executors.remote.survey import parse as parse_survey
from orchestration.ssh.connection import Done, UnreachableError
from tests.marks import thorough
from tests.orchestration.clusters.test_inventory import document
from workload.agent.standalone.survey import fabrics
from workload.record.digest import code_digest
from workload.record.schema import check_shape

ROOT = Path(__file__).resolve().parents[4]


def here(argv, stdin, limit_s):
    """The head's shell, on this machine."""
    done = subprocess.run(argv, input=stdin, capture_output=True, timeout=limit_s, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def nodes(tmp_path, monkeypatch):
    """Two nodes; `ssh` to the second is a script that says its arguments and runs the last one."""
    script = tmp_path / "bin" / "ssh"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\nfor last; do :; done\necho "$@" >&2\nexec sh -c "$last"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:/usr/bin:/bin")
    found = parse(document(python=sys.executable, workdir=str(ROOT)), "test")
    return Fanout(found, "10.0.0.2 ssh-ed25519 AAAA\n", here)


def test_head_without_ssh_and_the_others_by_pinned_keys(nodes):
    first, second = nodes.ask(["echo", "a  b", "$HOME;"])
    assert (first.out, second.out) == ("a  b $HOME;\n",) * 2
    assert first.err == ""
    assert "StrictHostKeyChecking=yes" in second.err
    assert "UserKnownHostsFile=/" in second.err
    assert second.began <= second.ended


def test_one_that_hangs_and_one_that_fails(nodes):
    first, second = nodes.ask(["sh", "-c", 'test -t 0; [ -n "$SSH" ] || sleep 60'], limit_s=0.5)
    assert (first.status, first.reached, first.why) == (None, False, "no answer within 0.5 s")
    assert second.reached is False
    assert [answer.status for answer in nodes.ask(["sh", "-c", "exit 3"])] == [3, 3]
    assert [answer.why for answer in nodes.ask(["sh", "-c", "echo oh >&2; exit 3"])] == ["oh", "oh"]


def test_what_a_node_prints_cannot_steer_a_terminal(nodes):
    answer = nodes.ask(["sh", "-c", "printf '\\033[2Jred' >&2; exit 1"])[0]
    assert answer.why == " [2Jred"


def test_a_file_is_copied_once_and_whole(nodes, tmp_path):
    source = tmp_path / "sub" / "file"
    source.parent.mkdir()
    source.write_bytes(b"\0" * 100_000)
    assert [answer.status for answer in nodes.copy(source)] == [0, 0]
    assert [path.name for path in source.parent.iterdir()] == ["file"]


def test_a_head_that_answers_nonsense(nodes):
    broken = Fanout(nodes.inventory, "", lambda *_: Done(0, b"[1]", b""))
    with pytest.raises(UnreachableError, match="could not ask"):
        broken.ask(["true"])
    odd = Fanout(nodes.inventory, "", lambda *_: Done(0, b'[1, {"status": "0", "stdout": 7}]', b""))
    assert [answer.status for answer in odd.ask(["true"])] == [None, None]


def test_the_survey_says_what_the_checks_need(nodes):
    head, other = (json.loads(answer.out) for answer in nodes.survey("pyproject.toml"))
    check_shape(head, SURVEY_SHAPE, "the survey")
    assert head["workload"] == code_digest(ROOT / "workload")
    assert head["shared"] is True
    assert isinstance(head["machine"], dict), head["machine"]
    assert head["hostname"] == other["hostname"]
    assert nodes.survey("no-such-file")[0].out.count('"shared": false') == 1


@pytest.mark.parametrize("gpus", [[{"name": 3}], thorough("many"), thorough([{}])])
def test_what_a_node_says_of_its_gpus_is_not_trusted(nodes, gpus):
    (answer, _) = nodes.survey("no-such-file")
    told = json.loads(answer.out)
    assert isinstance(parse_survey(answer), dict)
    told["machine"]["idle_gpus"] = gpus
    found = parse_survey(replace(answer, out=json.dumps(told)))
    assert "the description's idle_gpus" in found.err


def test_fabrics(tmp_path):
    for port, state in (("1", "4: ACTIVE"), ("2", "1: DOWN")):
        folder = tmp_path / "mlx5_0" / "ports" / port
        folder.mkdir(parents=True)
        (folder / "state").write_text(state + "\n")
    assert fabrics(tmp_path) == ["mlx5_0 port 1"]
