"""A machine that boots: Debian's real systemd as process 1 of namespaces, on a copy-on-write view of this machine.

Around it stand-ins of what Google adds: the metadata server, the agent that makes host keys, the units that run the
startup script and the system's own upgrades. Whatever the machine writes lies in a folder of the test's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.infra.program import ROOT

BOOT = """
set -e
mount --make-rprivate /
mkdir -p "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount --rbind /dev dev
mount -t tmpfs tmpfs dev/shm
ip link set lo up
ip address add 169.254.169.254/32 dev lo
mkdir -p mnt/old
pivot_root . mnt/old
umount -l /mnt/old
exec env -i container=tests PATH=/usr/sbin:/usr/bin:/sbin:/bin systemd --unit=tests.target --show-status=no
"""
TRIAL = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
cd /mnt
mkdir upper work root group
mount -t overlay overlay -o "lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work" root
mount -t cgroup2 cgroup2 group
"""
NAMESPACES = ("--fork", "--kill-child", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup")
# The guest attributes lie in a file, so that the next boot finds them
METADATA = """
import http.server, json, pathlib
store = pathlib.Path("/var/lib/metadata.json")
store.exists() or store.write_text("[]")
class Handler(http.server.BaseHTTPRequestHandler):
    def key(self):
        return self.path.removeprefix("/computeMetadata/v1/instance/guest-attributes/")
    def answer(self, status, body=""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())
    def do_GET(self):
        said = dict(json.loads(store.read_text()))
        self.answer(200 if self.key() in said else 404, said.get(self.key(), ""))
    def do_PUT(self):
        words = self.rfile.read(int(self.headers["Content-Length"])).decode()
        store.write_text(json.dumps([*json.loads(store.read_text()), [self.key(), words]]))
        self.answer(200)
http.server.HTTPServer(("169.254.169.254", 80), Handler).serve_forever()
"""
# As firstboot.go has it: the id first, then keys, then their upload, which may fail; once
AGENT = """
[ -e /etc/google_instance_id ] && exit
sleep {delay_s}
echo 1 >/etc/google_instance_id
key=/etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ed25519 -N '' -f $key.temp && mv $key.temp $key && mv $key.temp.pub $key.pub
{upload} curl -sf -X PUT -d "$(cut -d ' ' -f 2 $key.pub)" \
  http://169.254.169.254/computeMetadata/v1/instance/guest-attributes/hostkeys/ssh-ed25519
true
"""
UNIT = "[Unit]\nDefaultDependencies=no\n{unit}\n[{kind}]\n{body}\n"
UNITS = "usr/lib/systemd/system"
UPGRADES = ("apt-daily", "apt-daily-upgrade", "unattended-upgrades", "google-osconfig-agent", "snapd")
TARGET = "metadata.service ssh.service agent.service google-startup-scripts.service"


def reason_against() -> str:
    """Why no machine can boot here; empty where it can."""
    if os.getuid() != 0:
        return "a machine of its own needs root"
    needed = ("unshare", "nsenter", "pivot_root", "ip", "curl", "ssh-keygen", "ssh-keyscan", "setpriv", "dpkg-query")
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if missing := [name for name in needed if shutil.which(name, path=path) is None]:
        return f"a machine of its own needs {', '.join(missing)}"
    if missing := [name for name in ("/lib/systemd/systemd", "/usr/sbin/sshd") if not Path(name).exists()]:
        return f"a machine of its own needs {', '.join(missing)}"
    packages = ["ca-certificates", "openssh-client", "openssh-server", "procps", "python3", "python3-venv"]
    done = subprocess.run(["dpkg-query", "-W", *packages], capture_output=True, check=False)
    if done.returncode:
        return f"a machine that installs nothing needs the packages {', '.join(packages)}"
    tried = subprocess.run(["unshare", *NAMESPACES, "bash", "-c", TRIAL], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this kernel refuses overlays or control groups in namespaces"


@dataclass
class Machine:
    """`script` is its startup script; `delay_s` is how long Google's agent takes, `loses` that its word is lost."""

    folder: Path
    script: str
    pins: str
    delay_s: float = 0.0
    loses: bool = False
    process: subprocess.Popen[bytes] | None = None
    upper: Path = field(init=False)

    def __post_init__(self) -> None:
        self.upper = self.folder / "upper"
        units = {
            "tests.target": UNIT.format(unit=f"Wants={TARGET}", kind="Install", body=""),
            "metadata.service": _service("ExecStart=/usr/bin/python3 /opt/metadata.py"),
            "agent.service": _service("ExecStart=/bin/sh /opt/agent.sh", "After=metadata.service"),
            "ssh.service": _service(
                "RuntimeDirectory=sshd\nExecStartPre=/bin/sh -c 'ssh-keygen -A'\nExecStart=/usr/sbin/sshd -D\n"
                "ExecReload=/bin/kill -HUP $MAINPID"
            ),
            "google-startup-scripts.service": _service(
                "Type=oneshot\nExecStart=/bin/bash /opt/startup.sh", "After=metadata.service\nWants=apt-daily.timer "
                "apt-daily-upgrade.timer unattended-upgrades.service google-osconfig-agent.service snapd.service"
            ),
            **{f"{name}.service": _service("ExecStart=/bin/sleep infinity") for name in UPGRADES},
            **{f"{name}.timer": UNIT.format(unit="", kind="Timer", body="OnBootSec=1h") for name in UPGRADES[:2]},
        }  # fmt: skip
        upload = "true ||" if self.loses else ""
        files = {
            **{f"{UNITS}/{name}": text for name, text in units.items()},
            "opt/metadata.py": METADATA,
            "opt/agent.sh": AGENT.format(delay_s=self.delay_s, upload=upload),
            "opt/startup.sh": self.script,
            "etc/hosts": "127.0.0.1 localhost\n169.254.169.254 metadata.google.internal\n",
        }
        for name, text in files.items():
            (self.upper / name).parent.mkdir(parents=True, exist_ok=True)
            (self.upper / name).write_text(text)
        self._furnish()

    def _furnish(self) -> None:
        """The virtual environment is this one, as if the pins had been installed: nothing is downloaded."""
        place = self.upper / "opt" / "convscale"
        place.mkdir(parents=True)
        (place / "venv").symlink_to(Path(sys.prefix).resolve())
        prefix = Path(sys.prefix).resolve()
        own = self.upper / prefix.relative_to("/")
        own.mkdir(parents=True)
        (own / "constraints.txt").write_text(self.pins + "\n")
        interpreter = Path(os.path.realpath(sys.executable))
        for folder in {*interpreter.parents, *prefix.parents} - {Path("/")}:
            # a user of the machine's own gets there, whoever may here
            (self.upper / folder.relative_to("/")).mkdir(parents=True, exist_ok=True)
            (self.upper / folder.relative_to("/")).chmod(0o755)

    def boot(self) -> None:
        """Returns once the startup script is over."""
        log = (self.folder / "console").open("ab")
        argv = ["unshare", *NAMESPACES, "bash", "-c", BOOT, "boot", str(self.folder)]
        self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        log.close()
        self._until(lambda: self.inside("systemctl", "is-active", "tests.target") == "active")
        self._until(lambda: self.inside("systemctl", "is-active", "google-startup-scripts") in ("inactive", "failed"))

    def inside(self, *argv: str) -> str:
        """What a command prints in the machine, in one line."""
        assert self.process is not None
        (first, *_) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split() or [""]
        if not first:
            return ""
        enter = ["nsenter", "--target", first, "--all", "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *argv]
        done = subprocess.run(enter, capture_output=True, text=True, check=False, timeout=600)
        return " ".join(done.stdout.split())

    def said(self, key: str | None = None) -> list[Any]:
        """What guest attributes were said, in order: [key, words], or the words of one."""
        pairs = json.loads((self.upper / "var/lib/metadata.json").read_text())
        return pairs if key is None else [words for name, words in pairs if name == key]

    def stop(self) -> None:
        """Cuts the power."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _until(self, true: Any, limit_s: float = 600.0) -> None:
        deadline = time.monotonic() + limit_s
        while not true():
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "console").read_text()
            assert time.monotonic() < deadline, (self.folder / "console").read_text()
            time.sleep(0.1)


def _service(body: str, unit: str = "") -> str:
    return UNIT.format(unit=unit, kind="Service", body=body)


def script(role: str, key: str, pins: str) -> str:
    """The startup script of the tree."""
    from startup import Startup

    return Startup((ROOT / "infra" / "bootstrap.sh").read_text(), pins, key).script(role)
