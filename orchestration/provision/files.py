"""Writes and removes the files of infra/clusters/<name>/.

The inventory is written last and removed first: where it is, the cluster is up.
"""

from __future__ import annotations

from pathlib import Path

from infra import hostfile
from orchestration.clusters.folder import ClusterFolder
from orchestration.clusters.inventory import Inventory
from orchestration.ssh import config_file
from workload.record.files import write_json, write_whole


def write(folder: ClusterFolder, inventory: Inventory) -> None:
    """Writes the hostfile, the settings for `ssh -F` and the inventory. Raises OSError, Refusal."""
    document = inventory.model_dump(mode="json")
    key = None if inventory.key_file is None else folder.folder / Path(inventory.key_file)
    folder.folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder.hostfile, hostfile.hostfile(document["nodes"]))
    write_whole(folder.ssh_config, config_file.text(inventory, key, folder.known_hosts))
    write_json(folder.inventory, document)


def remove(folder: ClusterFolder) -> None:
    """Removes the cluster's files and the folder, unless it holds something else. Raises OSError."""
    if not folder.folder.exists():
        return
    files = (folder.hostfile, folder.known_hosts, folder.key, folder.public_key, folder.ssh_config)
    for path in (folder.inventory, *files):
        path.unlink(missing_ok=True)
    if not any(folder.folder.iterdir()):
        folder.folder.rmdir()
