"""The startup script as a node's bash runs it, with a metadata server, an sshd and a bootstrap of our own."""

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from startup import Startup

KEY = "ssh-ed25519 AAAA operator"
# as long and as odd as constraints.txt may be
PINS = '# it\'s "$HOME" `x` \\ \nnumpy==2.0\n'
OURS = "ssh-ed25519 AAAAours"
BOOTSTRAP, HOST_KEY, AGENTS = "convscale/bootstrap", "convscale/hostkey", "hostkeys/ssh-ed25519"
PREFIX = "/computeMetadata/v1/instance/guest-attributes/"


class Metadata(ThreadingHTTPServer):
    """Keeps guest attributes; the first `deaf` requests are answered 503. `agent` is what Google's agent said."""

    def __init__(self, deaf=0, agent="AAAAours"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.deaf, self.said = deaf, []
        self.values = {} if agent is None else {AGENTS: agent}

    def words(self, key):
        return [words for name, words in self.said if name == key]


class Handler(BaseHTTPRequestHandler):
    def do_PUT(self):
        words = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self._hears():
            key = self.path.removeprefix(PREFIX)
            self.server.values[key] = words
            self.server.said.append((key, words))
            self._answer(200, "")

    def do_GET(self):
        if self._hears():
            value = self.server.values.get(self.path.removeprefix(PREFIX))
            self._answer(404 if value is None else 200, value or "not found")

    def _hears(self):
        right = self.headers["Metadata-Flavor"] == "Google" and self.path.startswith(PREFIX)
        if not right or self.server.deaf:
            self.server.deaf -= 1
            self._answer(503, "")
            return False
        return True

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(**values):
        servers.append(Metadata(**values))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def node(tmp_path):
    """The node's folder: systemctl notes what it is told, sshd serves what lies in `served`."""
    for name in ("bin", "ssh", "convscale"):
        (tmp_path / name).mkdir()
    (tmp_path / "ssh" / "ssh_host_ed25519_key.pub").write_text(f"{OURS} root@node\n")
    (tmp_path / "served").write_text(OURS)
    programs = {
        "systemctl": f'echo "$*" >>{tmp_path}/systemctl',
        "ssh-keyscan": f'echo "127.0.0.1 $(cat {tmp_path}/served)"',
    }
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def run(server, folder, bootstrap, role="node", gpus=0):
    """The script with the metadata server's, the keys' and the log's place moved here, and no pauses."""
    script = Startup(bootstrap, PINS, KEY, gpus).script(role)
    places = {
        "/dev/tcp/metadata.google.internal/80": f"/dev/tcp/127.0.0.1/{server.server_port}",
        "/var/log/convscale-bootstrap.log": str(folder / "log"),
        "/etc/ssh/": f"{folder}/ssh/",
        "/etc/convscale/": f"{folder}/convscale/",
        "sleep 2": "sleep 0.01",
        "sleep 30": "sleep 0.01",
        "sleep 1 ": "sleep 0.01 ",
    }
    for before, after in places.items():
        assert before in script
        script = script.replace(before, after)
    script = f"PATH={folder}/bin:$PATH\n{script}"
    return subprocess.run(["bash", "-c", script], check=False, capture_output=True, text=True, timeout=600)


def test_bootstrap_gets_its_settings_and_ready_is_told_last(serve, node):
    server = serve()
    script = f'printf %s "$CONVSCALE_CONSTRAINTS" >{node}/pins; echo "$CONVSCALE_ROLE|$CONVSCALE_OPERATOR_KEY|$*"'
    done = run(server, node, script, "head")
    assert (done.returncode, done.stdout) == (0, f"head|{KEY}|\n")
    assert (node / "pins").read_text() == PINS
    assert server.said == [(BOOTSTRAP, "running"), (HOST_KEY, OURS), (BOOTSTRAP, "ready")]


@pytest.mark.parametrize("gpus", [0, 1])
def test_bootstrap_is_told_how_many_gpus_the_node_must_have(serve, node, gpus):
    done = run(serve(), node, 'echo "$CONVSCALE_GPUS"', gpus=gpus)
    assert (done.returncode, done.stdout) == (0, f"{gpus}\n")


def test_nothing_of_the_systems_own_runs_beside_a_measurement(serve, node):
    assert run(serve(), node, f"test -f {node}/systemctl").returncode == 0  # before anything is installed
    told = (node / "systemctl").read_text().splitlines()
    assert told[0].split()[:2] == ["mask", "--now"]
    for unit in (
        "apt-daily.timer",
        "apt-daily-upgrade.service",
        "unattended-upgrades.service",
        "google-osconfig-agent",
    ):
        assert unit in told[0]
    assert told[1:] == ["reload-or-restart ssh"]


def test_a_lasting_failure_is_told_with_the_nodes_last_words(serve, node):
    server = serve()
    done = run(server, node, f"echo x >>{node}/tries; printf 'pip: \\033[31mno such\\ttwo\\n' >>{node}/log; exit 3")
    assert done.returncode == 1
    assert server.words(BOOTSTRAP) == ["running", "failed: pip:  [31mno such two"]
    assert (node / "tries").read_text() == "x\nx\n"
    assert not server.words(HOST_KEY)


def test_a_passing_failure_is_tried_again(serve, node):
    server = serve()
    assert run(server, node, f"test -e {node}/again || {{ touch {node}/again; exit 1; }}").returncode == 0
    assert server.words(BOOTSTRAP) == ["running", "ready"]


def test_a_failure_before_any_log_is_told(serve, node):
    server = serve()
    assert run(server, node, "exit 3").returncode == 1
    assert server.words(BOOTSTRAP) == ["running", "failed: "]


def test_a_busy_metadata_server_is_asked_again(serve, node):
    server = serve(deaf=3)
    assert run(server, node, "true").returncode == 0
    assert server.words(BOOTSTRAP) == ["running", "ready"]


def test_a_node_that_nobody_hears_is_not_ready(serve, node):
    done = run(serve(deaf=999), node, "true")
    assert done.returncode == 1
    assert "the metadata server did not take bootstrap" in done.stderr


def test_the_agent_may_make_the_keys_anew_after_the_bootstrap(serve, node):
    """Its word is waited for, and what it wrote is what is said: the key that sshd serves after its reload."""
    server = serve(agent="AAAAagents")
    public = node / "ssh" / "ssh_host_ed25519_key.pub"
    (node / "bin" / "systemctl").write_text(f"#!/bin/sh\ncut -d ' ' -f 1,2 {public} >{node}/served\n")
    agent = f"(sleep 0.2; echo 'ssh-ed25519 AAAAagents root@node' >{public}) & true"
    assert run(server, node, agent).returncode == 0
    assert server.words(HOST_KEY) == ["ssh-ed25519 AAAAagents"]


def test_the_agents_word_may_be_lost(serve, node):
    server = serve(agent=None)
    assert run(server, node, "true").returncode == 0
    assert server.words(HOST_KEY) == [OURS]


def test_a_later_start_does_not_wait_for_the_agent(serve, node):
    run(serve(), node, "true")
    server = serve(agent=None)
    assert run(server, node, "true").returncode == 0
    assert server.words(HOST_KEY) == [OURS]
    assert (node / "convscale" / "published_key").read_text() == f"{OURS}\n"


def test_an_sshd_that_serves_another_key_is_a_failure(serve, node):
    server = serve()
    (node / "served").write_text("ssh-ed25519 AAAAother")
    assert run(server, node, "true").returncode == 1
    assert server.words(BOOTSTRAP)[-1].startswith("failed: convscale: sshd serves another host key than ")
    assert not server.words(HOST_KEY)


def test_the_real_bootstrap_fits_into_metadata():
    from tests.infra.program import ROOT

    script = Startup((ROOT / "infra/bootstrap.sh").read_text(), (ROOT / "constraints.txt").read_text(), KEY).script(
        "head"
    )
    assert len(script.encode()) < 256 * 1024  # Google's limit of one value
    checked = subprocess.run(["bash", "-n"], check=False, input=script, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
