"""Hosts of this machine in place of Google's nodes, as infra/bootstrap.sh leaves those: user, folder, keys."""

from __future__ import annotations

import re
import shutil
import sys

from orchestration.ssh.keys import public_key
from tests.cluster.host import SSHD, Host
from tests.cluster.hosts import Hosts
from tests.infra.engine.desk import Desk

PLACES = (
    "mount -t tmpfs tmpfs /home && ln -s /mnt/home /home/convscale && "
    "mount -t tmpfs tmpfs /opt && ln -s /mnt/convscale /opt/convscale"
)
KEY = re.compile(r"^export CONVSCALE_OPERATOR_KEY='(ssh-ed25519 [^']+)'$", re.MULTILINE)


class Nodes(Hosts):
    """Nobody may enter one before Google has made it, and the head may enter none before it is introduced."""

    def _start(self) -> None:
        super()._start()
        for host in self.hosts:
            host.run("sh", "-c", PLACES)

    def _furnish(self, host: Host) -> None:
        super()._furnish(host)
        folder = host.folder
        (folder / "convscale" / "workload").unlink()
        (folder / "convscale" / "venv").symlink_to(sys.prefix)
        (folder / "authorized_keys").write_text("")
        (folder / "sshd_config").write_text(SSHD.replace("/mnt/auth", "/mnt/home/.ssh/authorized_keys /mnt/auth"))
        with (folder / "passwd").open("a") as users:
            users.write("convscale:x:0:0::/mnt/home:/bin/bash\n")  # its number is root's: so is the venv
        if host.number == 1:
            shutil.copy(self.folder / "cluster" / "node_key.pub", folder / "home" / ".ssh" / "id_ed25519.pub")

    def serve(self, desk: Desk, *stacks: str) -> None:
        """They are the nodes that Google makes for a desk, of its stack or of these, one stack after the other.

        Others may be those of further stacks.
        """
        of = stacks or (desk.stack,)
        by_name = {f"convscale-{stack}-{host.name}": host for stack in of for host in self.hosts}
        for name, host in by_name.items():
            own = public_key((host.folder / "host_key.pub").read_text(), host.name)
            desk.cloud.heads[name] = self.head.address
            desk.cloud.publishes[name] = {"convscale/bootstrap": "ready", "convscale/hostkey": own}

        others = desk.provider.after

        def start(name: str) -> None:
            others(name)
            if name in by_name:
                (path,) = [path for path in desk.cloud.made if path.endswith(f"/instances/{name}")]
                (key,) = KEY.findall(desk.cloud.made[path].inputs["metadata"]["startup-script"])
                (by_name[name].folder / "authorized_keys").write_text(f"{key}\n")

        desk.provider.after = start
