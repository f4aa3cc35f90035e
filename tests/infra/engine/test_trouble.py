"""Pulumi's real engine when something is wrong: what it refuses, what it survives, what it never writes down."""

import threading

import pytest
from pulumi import automation

from orchestration.provision.cloud.clients.events import Heard
from tests.infra.engine.desk import SECRET


def edit(desk, file, before, after):
    """Another program; the text must be there."""
    path = desk.tree / "infra" / file
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))


def unsafe(desk, file, before, after):
    """Another program, whose own rules are silent."""
    edit(desk, file, before, after)
    edit(desk, "__main__.py", "    declare.check(", "    (lambda *_: None)(")


@pytest.fixture
def desk(sit):
    made = sit("light")
    made.init(nodes="2")
    return made


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("convscale:node", "3", "convscale:node is no setting: did you mean convscale:nodes?"),
        ("convscale:nodes", "0", "convscale:nodes is '0', but must be a whole number from 1 to 250"),
        ("convscale:ssh_from", "0.0.0.0/1,128.0.0.0/1", "convscale:ssh_from is '0.0.0.0/1,128.0.0.0/1', but must be"),
    ],
)
def test_a_wrong_setting_is_one_line_before_anything_is_made(desk, key, value, says):
    desk.pulumi("config", "set", key, value)
    said = desk.up(fails=True)
    assert says in said
    assert "Traceback" not in said
    assert desk.asked() == desk.known() == []


def test_a_misspelt_key_is_named(desk):
    edit(
        desk,
        "cluster.py",
        "compute.InstanceShieldedInstanceConfigArgs(\n            enable_secure_boot=True, enable_vtpm=True, "
        "enable_integrity_monitoring=True\n        )",
        '{"enableSecureBoot": True, "enableVtmp": True}',
    )
    said = desk.pulumi("preview", fails=True)
    assert (
        "Invalid or unknown key. Examine values at 'shieldedInstanceConfig.enableVtmp'. Did you mean enableVtpm" in said
    )
    assert "enableVtmp" in desk.up(fails=True)
    assert "create convscale-light-node1" not in desk.asked()


def test_a_name_that_two_have_is_refused(desk):
    edit(desk, "network.py", "return [*ssh, inside]", "return [*ssh, inside, inside]")
    assert "Duplicate resource URN" in desk.pulumi("preview", fails=True)
    assert not desk.cloud.compute.held


def test_the_policy_pack_allows_our_own(desk):
    said = desk.pulumi("up", "--yes", "--policy-pack", "infra/policy")
    assert "convscale" in said
    assert "mandatory" not in said
    assert len(desk.cloud.names("Instance")) == 2


@pytest.mark.parametrize(
    ("file", "before", "after", "says"),
    [
        (
            "network.py",
            "            source_ranges=sources,",
            '            source_ranges=["0.0.0.0/0"],',
            "convscale-light-ssh: IPv4 ranges that are a /0 together; a /24 is the widest",
        ),
        (
            "cluster.py",
            "four = rank == 0 and has_external_v4(profile)",
            "four = True",
            "convscale-light-node2: only rank 0's node may have an external address",
        ),
        (
            "network.py",
            'name=f"{rules.prefix(profile.stack)}router"',
            'name="router"',
            "router: every name must begin with convscale-light-",
        ),
    ],
)
def test_the_policy_pack_refuses_what_the_program_lets_pass(desk, file, before, after, says):
    unsafe(desk, file, before, after)
    for command in ("preview", "up"):
        words = ["--yes"] if command == "up" else []
        said = desk.pulumi(command, *words, "--policy-pack", "infra/policy", fails=True)
        assert says in said
        assert "[mandatory]" in said
    assert not any(line.endswith(says.partition(":")[0]) for line in desk.asked())


def test_secrets_are_encrypted_wherever_they_lie(desk):
    desk.point()
    said = desk.up() + desk.pulumi("stack", "export") + desk.pulumi("stack", "output", "--json")
    assert desk.provider.configured["gcp:config:accessToken"] == SECRET  # it was there to be lost
    texts = [path for path in desk.folder.rglob("*") if path.is_file() and ".venv" not in path.parts]
    texts = [path for path in texts if "engine" not in path.parts]
    assert any("PRIVATE KEY" in path.read_text(errors="replace") for path in texts if path.name == "id_ed25519")
    private = (desk.files / "id_ed25519").read_text().splitlines()[3:-1]
    for path in texts:
        text = path.read_text(errors="replace")
        assert SECRET not in text, path
        assert path.name == "id_ed25519" or not any(line in text for line in private), path
    assert SECRET not in said
    assert "ciphertext" in desk.state
    for each in desk.cloud.made.values():
        assert SECRET not in str(each)
        assert "PRIVATE KEY" not in str(each)


def test_a_setting_that_cannot_stay_secret_is_refused(desk):
    desk.pulumi("config", "set", "--secret", "convscale:owner", "ann-in-private")
    assert "convscale:owner is set as a secret, which it cannot stay" in desk.up(fails=True)
    assert "ann-in-private" not in desk.state


def test_fab_says_the_policys_line_first(desk, monkeypatch):
    unsafe(desk, "network.py", "source_ranges=sources,", 'source_ranges=["0.0.0.0/0"],')
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    heard = Heard()
    with pytest.raises(automation.CommandError) as caught:
        automation.select_stack("light", work_dir=str(desk.tree)).preview(
            policy_packs=[str(desk.tree / "infra/policy")], on_event=heard.event
        )
    assert heard.fault(str(caught.value)).startswith(
        "convscale-light-ssh: policy safe-resource: convscale-light-ssh: IPv4 ranges that are a /0 together"
    )


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_provider_crashes_in_mid_up(desk, when):
    def crash(name):
        if name.startswith("convscale-light-node") and not name.endswith("-address"):
            desk.serving.crash()
            raise ConnectionError(name)  # nothing more is done for it

    setattr(desk.provider, when, crash)
    assert "convscale-light-node" in desk.up(fails=True)
    known = desk.known()
    assert "convscale-light-subnet" in known
    setattr(desk.provider, when, lambda _: None)
    desk.serving.start()
    for name in desk.cloud.names("Instance"):  # made, and the engine never heard of it: fab deletes it
        desk.cloud.take(name)
    desk.asked()
    desk.up()
    assert not {f"create {name}" for name in known} & set(desk.asked())
    assert len(desk.cloud.names("Instance")) == 2
    desk.destroy()
    assert desk.cloud.compute.held == {}


def test_two_ups_at_once(desk):
    go_on, at_work = threading.Event(), threading.Event()

    def wait(_):
        at_work.set()
        go_on.wait(300)

    desk.provider.before = wait
    first = desk.begin("pulumi", "up", "--yes", "--skip-preview", "--non-interactive")
    assert at_work.wait(300)
    said = desk.up(fails=True)
    assert f"(pid {first.pid})" in said
    assert "the stack is currently locked by 1 lock(s)" in said
    go_on.set()
    desk.end(first)
    assert len(desk.cloud.names("Instance")) == 2
    assert not desk.locks()
