import io
import itertools
import json
import tarfile

import pytest

from orchestration.clusters.inventory import parse
from orchestration.errors import Refusal
from orchestration.executors.remote import upload
from orchestration.ssh.connection import Done
from tests.orchestration.clusters.test_inventory import document
from tests.orchestration.support import ROOT
from workload.agent.standalone import receive
from workload.record.digest import code_digest

FOLDER = upload.PurePosixPath("/opt/convscale/.push-1")


def test_an_archive_is_the_same_bytes_for_the_same_content(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "sub").mkdir(parents=True)
        for path in ("z.py", "sub/y.py", "notes.txt"):
            (tmp_path / name / path).write_text(path)
    (tmp_path / "b" / "z.py").touch()
    made = upload.archive(tmp_path / "a")
    assert made == upload.archive(tmp_path / "b")
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        assert tar.getnames() == ["sub/y.py", "z.py"]


def test_what_is_unpacked_has_the_digest_of_what_was_packed(tmp_path):
    archive = tmp_path / "archive.tar"
    archive.write_bytes(upload.archive(ROOT / "workload"))
    receive.unpack(archive, tmp_path / "unpacked")
    assert code_digest(tmp_path / "unpacked") == code_digest(ROOT / "workload")


def test_one_rank_a_node_by_the_pinned_keys():
    command = upload.command(parse(document(), "x"), FOLDER, ["-c", "text", "/opt/convscale"])
    after = dict(itertools.pairwise(command))
    assert (after["-n"], after["--map-by"], after["--hostfile"]) == ("2", "slot:OVERSUBSCRIBE", f"{FOLDER}/hostfile")
    assert f"UserKnownHostsFile={FOLDER}/known_hosts" in after["plm_ssh_args"]
    assert "StrictHostKeyChecking=yes" in after["plm_ssh_args"]
    assert after["btl_tcp_if_include"] == after["oob_tcp_if_include"] == "10.0.0.0/24"
    assert command[-5:] == ["-m", "mpi4py", "-c", "text", "/opt/convscale"]


def told(*nodes, status=0, noise=b""):
    return Done(status, noise + json.dumps({"nodes": list(nodes)}).encode() + b"\n", b"")


def test_only_the_nodes_that_lacked_it_are_named():
    done = told(
        {"node": "node1", "received": False, "error": None},
        {"node": "node2", "received": True, "error": None},
        noise=b"a warning\n{}\n\x00[1]\n",
    )
    assert upload._changed(done) == ["node2"]


def test_a_node_that_cannot_take_it_is_named():
    done = told({"node": "node1", "received": False, "error": "OSError: [Errno 28] No space left on device"})
    with pytest.raises(Refusal, match=r"node1 \(OSError: .Errno 28. No space left on device\)"):
        upload._changed(done)


@pytest.mark.parametrize(
    "done",
    [
        Done(1, b"", b"ssh: connect to host 10.0.0.2: no route\n----\n"),
        told(status=1),
        Done(0, b'{"nodes": [{"node": 1}]}', b""),
        Done(0, b'{"nodes": 7}', b""),
        Done(0, b"[" * 100000, b""),
        Done(0, b"", b""),
    ],
)
def test_whatever_comes_instead_of_an_answer_is_one_line(done):
    with pytest.raises(Refusal, match="cannot be pushed from the head") as refused:
        upload._changed(done)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500
