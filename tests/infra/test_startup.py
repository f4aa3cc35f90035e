"""The startup script as a node's bash runs it, with a metadata server and a bootstrap of our own."""

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import startup
from startup import Startup

KEY = "ssh-ed25519 AAAA operator"
# as long and as odd as constraints.txt may be
PINS = '# it\'s "$HOME" `x` \\ \nnumpy==2.0\n'


class Metadata(ThreadingHTTPServer):
    """Takes guest attributes; the first `deaf` requests are answered 503."""

    def __init__(self, deaf=0):
        super().__init__(("127.0.0.1", 0), Handler)
        self.deaf, self.words, self.requests = deaf, [], []


class Handler(BaseHTTPRequestHandler):
    def do_PUT(self):
        words = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.requests.append((self.path, self.headers["Metadata-Flavor"]))
        if self.server.deaf:
            self.server.deaf -= 1
            self.send_response(503)
        else:
            self.server.words.append(words)
            self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(deaf=0):
        servers.append(Metadata(deaf))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def run(server, folder, bootstrap, role="node"):
    """The script with the metadata server's and the log's place moved here."""
    script = Startup(bootstrap, PINS, KEY).script(role)
    moved = script.replace("/dev/tcp/metadata.google.internal/80", f"/dev/tcp/127.0.0.1/{server.server_port}")
    moved = moved.replace("/var/log/convscale-bootstrap.log", str(folder / "log")).replace("sleep 2", "sleep 0.01")
    return subprocess.run(["bash", "-c", moved], check=False, capture_output=True, text=True, timeout=30)


def test_bootstrap_gets_its_settings_and_ready_is_told(serve, tmp_path):
    server = serve()
    script = f'printf %s "$CONVSCALE_CONSTRAINTS" >{tmp_path}/pins; echo "$CONVSCALE_ROLE|$CONVSCALE_OPERATOR_KEY|$*"'
    done = run(server, tmp_path, script, "head")
    assert (done.returncode, done.stdout) == (0, f"head|{KEY}|\n")
    assert (tmp_path / "pins").read_text() == PINS
    assert server.words == ["running", "ready"]
    assert set(server.requests) == {("/computeMetadata/v1/instance/guest-attributes/convscale/bootstrap", "Google")}


def test_a_failure_is_told_with_the_nodes_last_words(serve, tmp_path):
    server = serve()
    done = run(server, tmp_path, f"printf 'one\\npip: \\033[31mno such\\ttwo\\n' >{tmp_path}/log; exit 3")
    assert done.returncode == 1
    assert server.words == ["running", "failed: pip:  [31mno such two"]


def test_a_failure_before_any_log_is_told(serve, tmp_path):
    server = serve()
    assert run(server, tmp_path, "exit 3").returncode == 1
    assert server.words == ["running", "failed: "]


def test_a_busy_metadata_server_is_asked_again(serve, tmp_path):
    server = serve(deaf=3)
    assert run(server, tmp_path, "true").returncode == 0
    assert server.words == ["running", "ready"]


def test_a_node_without_metadata_server_says_so_and_starts(serve, tmp_path):
    server = serve(deaf=99)
    done = run(server, tmp_path, "true")
    assert done.returncode == 0
    assert "the metadata server did not take the report" in done.stderr


def test_the_real_bootstrap_fits_into_metadata():
    from tests.infra.program import ROOT

    script = Startup((ROOT / "infra/bootstrap.sh").read_text(), (ROOT / "constraints.txt").read_text(), KEY).script(
        "head"
    )
    assert len(script.encode()) < 256 * 1024  # Google's limit of one value
    checked = subprocess.run(["bash", "-n"], check=False, input=script, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert startup.REPORT in script
