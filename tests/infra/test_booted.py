"""The startup script on a machine that boots under a real systemd: a node after its first start, and its next."""

import json

import pytest

from tests.infra import booted
from tests.infra.program import ROOT

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGm6dZ4aXUpsMQfIPLq1EEXsTSjbKEjrRxDUa1KgJxQm operator"
PINS = (ROOT / "constraints.txt").read_text().strip()
UNITS = (
    *("apt-daily.timer", "apt-daily.service", "apt-daily-upgrade.timer", "apt-daily-upgrade.service"),
    *("unattended-upgrades.service", "google-osconfig-agent.service", "snapd.service"),
)
BOOTSTRAP, OURS, AGENTS = "convscale/bootstrap", "convscale/hostkey", "hostkeys/ssh-ed25519"


@pytest.fixture
def make(tmp_path):
    if reason := booted.reason_against():
        pytest.skip(reason)
    made = []

    def machine(**how):
        made.append(booted.Machine(tmp_path, booted.script("head", KEY, PINS), PINS, **how))
        return made[-1]

    yield machine
    for each in made:
        each.stop()


def served(machine):
    """The key that the machine's sshd serves."""
    return machine.inside("ssh-keyscan", "-t", "ed25519", "127.0.0.1").partition(" ")[2]


def ready(machine):
    return json.loads((machine.upper / "opt/convscale/ready.json").read_text())


def test_the_first_start_and_the_next(make):
    machine = make(delay_s=4)  # the startup script overtakes the agent
    machine.boot()
    first = served(machine)
    assert machine.said(BOOTSTRAP) == ["running", "ready"]
    assert machine.said(OURS) == [first]
    assert machine.said(AGENTS) == [first.split()[1]]
    assert machine.said()[-1] == [BOOTSTRAP, "ready"]
    for unit in UNITS:
        assert machine.inside("systemctl", "is-enabled", unit) == "masked", unit
        assert machine.inside("systemctl", "is-active", unit) != "active", unit
    assert machine.inside("getent", "passwd", "convscale").endswith(":/home/convscale:/bin/bash")
    assert machine.inside("cat", "/etc/convscale/authorized_keys") == f"restrict,pty,port-forwarding {KEY}"
    assert (ready(machine)["role"], ready(machine)["packages"]["numpy"]) == (
        "head",
        pytest.importorskip("numpy").__version__,
    )
    heads_key = machine.inside("cat", "/home/convscale/.ssh/id_ed25519.pub")
    assert heads_key.startswith("ssh-ed25519 ")

    at, installed = ready(machine)["ready_utc"], machine.inside("stat", "-c", "%Y", "/etc/passwd")
    machine.stop()
    machine.boot()
    assert ready(machine)["ready_utc"] > at
    assert machine.said(BOOTSTRAP) == ["running", "ready"] * 2
    assert machine.said(OURS) == [first] * 2
    assert served(machine) == first
    assert machine.inside("cat", "/home/convscale/.ssh/id_ed25519.pub") == heads_key
    assert machine.inside("stat", "-c", "%Y", "/etc/passwd") == installed
    for unit in UNITS:
        assert machine.inside("systemctl", "is-active", unit) != "active", unit


def test_an_agent_whose_word_is_lost(make):
    machine = make(loses=True)
    script = (machine.upper / "opt/startup.sh").read_text()
    assert "seq 30" in script
    (machine.upper / "opt/startup.sh").write_text(script.replace("seq 30", "seq 2"))  # a minute is long
    machine.boot()
    assert machine.said(BOOTSTRAP) == ["running", "ready"]
    assert machine.said(OURS) == [served(machine)]
    assert machine.said(AGENTS) == []


def test_a_node_that_fails_says_so(make, monkeypatch):
    monkeypatch.setattr(booted.Machine, "_furnish", lambda _: None)  # no environment, and no way to download one
    machine = make()
    script = (machine.upper / "opt/startup.sh").read_text()
    (machine.upper / "opt/startup.sh").write_text(script.replace("sleep 30", "sleep 0"))
    (machine.upper / booted.UNITS / "google-startup-scripts.service").write_text(
        (machine.upper / booted.UNITS / "google-startup-scripts.service")
        .read_text()
        .replace("Type=oneshot", "Type=oneshot\nEnvironment=CONVSCALE_PAUSE_S=0 PIP_RETRIES=0")
    )
    machine.boot()
    assert machine.inside("systemctl", "is-failed", "google-startup-scripts") == "failed"
    assert machine.said(BOOTSTRAP)[0] == "running"
    assert machine.said(BOOTSTRAP)[-1].startswith("failed: convscale-bootstrap: '/opt/convscale/venv/bin/python -m pip")
    assert machine.said(BOOTSTRAP)[-1].endswith("failed three times")
    assert machine.said(OURS) == []
