"""What ssh itself makes of the file: `ssh -G` prints the settings that would hold, and connects to nobody."""

import subprocess
from pathlib import Path

import pytest

from orchestration.clusters.inventory import parse
from orchestration.errors import Refusal
from orchestration.ssh import config_file
from tests.orchestration.clusters.test_inventory import NODES, document


def settings(tmp_path, text, node):
    path = tmp_path / "ssh_config"
    path.write_text(text)
    told = subprocess.run(["ssh", "-G", "-F", str(path), node], capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in told.splitlines() if " " in line)


def test_the_head_straight_and_the_others_through_it(tmp_path):
    text = config_file.text(parse(document(), "x"), tmp_path / "my key", tmp_path / "known hosts")
    head, other = settings(tmp_path, text, "node1"), settings(tmp_path, text, "node2")
    assert (head["hostname"], head["port"], head["user"]) == ("127.0.0.1", "2201", "convscale")
    assert "proxyjump" not in head
    assert (other["hostname"], other["port"], other["proxyjump"]) == ("10.0.0.2", "22", "node1")
    for found in (head, other):
        assert found["stricthostkeychecking"] == "true"
        assert found["identityfile"] == str(tmp_path / "my key")
        assert found["userknownhostsfile"].strip('"') == str(tmp_path / "known hosts")


def test_googles_tunnel_is_a_command_of_ours(tmp_path):
    ssh = {"via": "iap", "project": "p-1", "zone": "europe-west1-b", "instance": "light-2"}
    text = config_file.text(parse(document(nodes=[NODES[0], NODES[1] | {"ssh": ssh}]), "x"), None, tmp_path / "k")
    command = settings(tmp_path, text, "node2")["proxycommand"]
    assert command.startswith("gcloud compute start-iap-tunnel light-2 22 --project=p-1 --zone=europe-west1-b")


@pytest.mark.parametrize("letter", ['"', "%", "\n"])
def test_a_path_that_ssh_would_read_otherwise_is_refused(letter):
    with pytest.raises(Refusal, match="cannot be written in ssh's configuration"):
        config_file.text(parse(document(), "x"), None, Path(f"/a{letter}b"))
