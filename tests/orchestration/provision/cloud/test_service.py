"""Names of stacks, the missing program, a cluster's files on another machine, a stopped head woken for a pull."""

import json
import sys

import pytest

from orchestration.errors import Refusal
from orchestration.provision.cloud.clients import stack_settings
from orchestration.provision.cloud.provider import GoogleCloud
from orchestration.ssh.connection import UnreachableError
from tests.orchestration.provision.cloud import plays


@pytest.mark.parametrize("cluster", ["fat", "Pulumi.fat.yaml"])
def test_a_stack_by_name_and_by_file(desk, cluster, monkeypatch):
    monkeypatch.chdir(desk.root)
    assert stack_settings.stack_name(cluster, desk.root) == "fat"


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ("big", "there is no Pulumi.big.yaml"),
        ("Fat", "'Fat' is no name"),
        ("fat-2", "'fat-2' is no name"),
        ("../fat", "is no name"),
        ("/elsewhere/Pulumi.fat.yaml", "lies outside"),
    ],
)
def test_what_is_no_stack(desk, cluster, words):
    with pytest.raises(Refusal, match=words):
        stack_settings.stack_name(cluster, desk.root)


def test_a_persons_settings_come_first(desk):
    (desk.root / "Pulumi.fat.yaml").write_text("config:\n  gcp:project: shared\n")
    assert stack_settings.read("fat", desk.root).project == "lab"
    (desk.root / "infra/stacks/Pulumi.fat.yaml").write_text("encryptionsalt: v1:x\n")
    assert stack_settings.read("fat", desk.root).project == "shared"
    (desk.root / "infra/stacks/Pulumi.fat.yaml").write_text("config: [")
    with pytest.raises(Refusal, match="cannot be read as YAML"):
        stack_settings.read("fat", desk.root)


@pytest.mark.parametrize("spot", [True, False, None])
def test_what_is_offered_says_whether_its_price_is_that_of_spot_machines(desk, spot):
    """None: by the program of an older checkout, which did not say."""
    play = plays.new_cluster()
    price = play["up"]["then"]["outputs"]["price"]  # that of the preview, too
    if spot is not None:
        price["spot"] = spot
    desk.engine.play(play)
    offered = desk.cloud().offer("fat").price
    assert offered.spot is bool(spot)
    assert (offered.amount_per_hour, offered.currency, offered.date) == (0.5, "USD", "2026-07-30")


def test_without_the_program_up_says_how_to_install_it(desk):
    (desk.engine.folder / "pulumi").unlink()
    with pytest.raises(Refusal, match=r"'pulumi' is not on PATH: install it \('curl .*get\.pulumi\.com"):
        desk.cloud().up("fat", None, keep=False)


@pytest.mark.parametrize("package", ["pulumi", "google", "google.cloud.compute_v1"])
def test_without_the_packages_the_task_says_how_to_install_them(desk, monkeypatch, package):
    class Hidden:
        def find_spec(self, name, *_):
            if name == package:
                raise ModuleNotFoundError(name)

    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
    for action in (
        lambda cloud: cloud.up("fat", None, keep=False),
        lambda cloud: cloud.orphans("fat", "", ()),
        lambda cloud: cloud.files("fat"),
    ):
        with pytest.raises(Refusal, match="is not installed: 'make cloud'"):
            action(desk.cloud())


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
            "pulumi login --local",
        ),
        ("error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or X", "export it as PULUMI_CONFIG_PASSPHRASE"),
        ("warning: x\nerror: incorrect passphrase\nsee help", "the passphrase that the stack was made with"),
    ],
)
def test_what_pulumi_itself_wants_first(desk, said, words):
    desk.engine.play(plays.new_cluster() | {"stack select": {"status": 255, "stderr": said}})
    with pytest.raises(Refusal) as refusal:
        desk.cloud().up("fat", None, keep=False)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_files_on_another_machine(desk):
    desk.engine.play(plays.living_cluster())
    own = desk.root / "infra" / "stacks" / "Pulumi.fat.yaml"
    own.write_text(own.read_text().replace("  gcp:project: lab\n", ""))  # the outputs say which
    del desk.compute.attributes["convscale-fat-node2"]
    found = desk.cloud().files("fat")
    assert len(found.nodes) == 2
    assert json.loads((desk.folder / "inventory.json").read_text())["nodes"][1]["name"] == "node2"
    assert "127.0.0.1]:9 ssh-ed25519" in (desk.folder / "known_hosts").read_text()
    assert "10.0.0.3" not in (desk.folder / "known_hosts").read_text()
    assert "not pinned: node2 not ready" in desk.text
    assert "id_ed25519 is not here: bring it" in desk.text


def test_the_files_of_a_stack_that_is_not_up(desk):
    with pytest.raises(Refusal, match="puts out no inventory"):
        desk.cloud().files("fat")


# A head that Google stopped


@pytest.fixture
def over(desk):
    """Up, and past its end: the workers are gone, the head is stopped."""
    play = plays.new_cluster()
    play["up"]["then"]["outputs"] = plays.outputs(expires="2026-11-23T02:00:00Z")
    desk.engine.play(play)
    desk.cloud(yes=True).up("fat", None, keep=False)
    del desk.compute.held["zones/us-central1-a/instances/convscale-fat-node2"]
    desk.compute.held[HEAD]["status"] = "TERMINATED"
    return desk


class Sshd:
    """What the head's SSH server does: nothing for its first `deaf` callers."""

    def __init__(self, deaf: int) -> None:
        self.deaf, self.asked = deaf, []

    def open(self, connection) -> None:
        self.asked.append(connection.target.label)
        if len(self.asked) <= self.deaf:
            raise UnreachableError(f"{connection.target.label}: Connection refused")


@pytest.fixture
def sshd(monkeypatch):
    made = Sshd(deaf=0)

    def open_(connection):
        made.open(connection)

    monkeypatch.setattr("orchestration.provision.cloud.wake.Connection.open", open_)
    return made


HEAD = "zones/us-central1-a/instances/convscale-fat-node1"


def test_a_stopped_head_runs_for_the_pull_alone(over, sshd):
    sshd.deaf = 20
    over.compute.next_address = "198.51.100.4"
    over.answers = ["yes"]
    with GoogleCloud().awake("fat", over.operator()):
        assert over.compute.held[HEAD]["status"] == "RUNNING"
        inventory = json.loads((over.folder / "inventory.json").read_text())
        assert inventory["nodes"][0]["ssh"]["host"] == "198.51.100.4"
        assert "[198.51.100.4]:9 ssh-ed25519" in (over.folder / "known_hosts").read_text()
    assert over.compute.held[HEAD]["status"] == "TERMINATED"
    assert "ended at 2026-11-23T02:00:00Z, and its head is TERMINATED" in over.asked[0]
    # Google's start is over long before SSH answers
    assert sshd.asked == ["node1 (198.51.100.4:9)"] * 21
    assert sum(over.slept) == 100.0
    assert "waiting for its SSH server at node1 (198.51.100.4:9), 240 s at most" in over.text
    assert "convscale-fat-node1 answers after" in over.text


def test_a_head_that_never_answers_is_stopped_again(over, sshd):
    sshd.deaf = 10**9
    says = pytest.raises(Refusal, match="convscale-fat-node1 runs, but its SSH server does not answer")
    with says, GoogleCloud().awake("fat", over.operator(yes=True)):
        raise AssertionError("nobody answers")
    assert over.compute.held[HEAD]["status"] == "TERMINATED"


@pytest.mark.usefixtures("sshd")
def test_a_stopped_head_is_stopped_again_after_a_failure(over):
    with pytest.raises(ZeroDivisionError), GoogleCloud().awake("fat", over.operator(yes=True)):
        raise ZeroDivisionError
    assert over.compute.held[HEAD]["status"] == "TERMINATED"


def test_a_stopped_head_stays_so_without_consent(over):
    over.answers = ["no"]
    with pytest.raises(Refusal, match="stays stopped"), GoogleCloud().awake("fat", over.operator()):
        pass
    assert over.compute.held[HEAD]["status"] == "TERMINATED"


def test_a_head_that_runs_is_left_alone(over):
    over.compute.held[HEAD]["status"] = "RUNNING"
    with GoogleCloud().awake("fat", over.operator()):
        pass
    assert over.compute.held[HEAD]["status"] == "RUNNING"


def test_a_head_that_is_gone(over):
    del over.compute.held[HEAD]
    with pytest.raises(Refusal, match="convscale-fat-node1 is gone"), GoogleCloud().awake("fat", over.operator()):
        pass
