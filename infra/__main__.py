"""The Pulumi program: stack configuration -> network and nodes on Google Cloud -> hostfile and inventory.

The only place of infra/ that reads the clock, the environment, and files of a cluster.
"""

from __future__ import annotations

import datetime
import getpass
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import declare
import machines
import operator_key
import outputs
import price
import profiles
import pulumi
import settings
from cluster import Cluster
from network import Network
from profiles import Profile
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from startup import Startup

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def main() -> None:
    """Registers everything, or refuses with one line before the first thing."""
    try:
        _main()
    except (settings.SettingError, declare.UnsafeError) as error:
        raise pulumi.RunError(str(error)) from error


def _main() -> None:
    stack, now = pulumi.get_stack(), datetime.datetime.now(datetime.UTC)
    catalogue = machines.read(HERE / "machines.toml")
    profile = _profile(stack, catalogue)
    folder = HERE / "clusters" / stack
    _same_lifetime(folder / "inventory.json", profile)
    key = profile.operator_key or _own_key(folder)
    startup = Startup(
        (HERE / "bootstrap.sh").read_text(), (ROOT / "constraints.txt").read_text(), key, profile.machine.gpu_count
    )
    expiry = now + datetime.timedelta(seconds=profile.lifetime_s)
    labels = {"owner": profile.owner, "study": profile.study, "expiry": f"{expiry:%Y-%m-%dt%H-%M-%Sz}"}
    declare.check(declare.everything(profile, startup, labels), profile, catalogue)
    network = Network("network", profile)
    _export(profile, catalogue, Cluster("cluster", profile, network, startup, labels), folder)


def _profile(stack: str, catalogue: machines.Catalogue) -> Profile:
    values = settings.of_stack(ROOT, stack, {**get_config_env(), **CONFIG.get()})
    _no_secret(values)
    google = settings.StackConfig(values, "gcp:")
    return profiles.read(settings.StackConfig(values), google, stack, catalogue, _person())


def _no_secret(keys: Iterable[str]) -> None:
    """Refuses a setting that a person wants hidden: the state, the outputs and Google's rules hold it in the clear."""
    for key in sorted(keys):
        if is_config_secret(key) and (key == "gcp:project" or key.startswith("convscale:")):
            raise settings.SettingError(
                f"{key} is set as a secret, which it cannot stay: the stack's state and outputs say it to whoever "
                "reads them; set it without --secret"
            )


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return ""


def _own_key(folder: Path) -> str:
    """The cluster's public key; a preview makes none."""
    preview = pulumi.runtime.is_dry_run()
    try:
        return operator_key.public_line(folder, make=not preview) or "ssh-ed25519 (made by up)"
    except (OSError, ValueError) as error:
        file = folder / operator_key.NAME
        raise settings.SettingError(f"{file}: no key can be read or made there ({error}): move it away") from error


def _same_lifetime(file: Path, profile: Profile) -> None:
    """Refuses another lifetime while the cluster stands: the provider would replace its nodes, records and all."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        lives = [datetime.datetime.fromisoformat(known[key]) for key in ("created_at", "expires_at")]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise settings.SettingError(f"{file} is no inventory of ours ({error}): move it away") from error
    lives_s = round((lives[1] - lives[0]).total_seconds())
    if lives_s != profile.lifetime_s:
        raise settings.SettingError(
            f"convscale:lifetime is {profile.lifetime_s}s, but cluster {profile.stack} was made for {lives_s}s, and "
            f"another lifetime would replace its nodes with all that is on them: 'fab down --cluster {profile.stack}' "
            f"first (if the cluster is gone, delete {file})"
        )


def _export(profile: Profile, catalogue: machines.Catalogue, made: Cluster, folder: Path) -> None:
    priced = price.document(profile, catalogue)
    times = pulumi.Output.all(*(node.creation_timestamp for node in made.nodes))
    addresses = pulumi.Output.all(*(node.network_interfaces[0].network_ip for node in made.nodes))

    def described(known: list[Any]) -> dict[str, Any]:
        texts = outputs.describe(profile, priced, known[0], _head(known[1]), known[2])
        if not pulumi.runtime.is_dry_run():
            _write(folder, *texts)
        return dict(zip(("hostfile", "inventory"), texts, strict=True))

    both = pulumi.Output.all(addresses, made.nodes[0].network_interfaces, times).apply(described)
    pulumi.export("hostfile", both["hostfile"])
    pulumi.export("inventory", both["inventory"])
    pulumi.export("lifetime_s", profile.lifetime_s)
    pulumi.export("price", priced)
    pulumi.export("quota", price.quota(profile))
    pulumi.export("access", outputs.access(profile))
    pulumi.export("instances", outputs.instances(profile))


def _head(interfaces: list[dict[str, Any]]) -> dict[str, Any]:
    """Rank 0's external addresses, from its resource's outputs."""
    interface = interfaces[0]
    four, six = interface.get("access_configs") or [], interface.get("ipv6_access_configs") or []
    return {
        "v4": four[0].get("nat_ip") if four else None,
        "v6": six[0].get("external_ipv6") if six else None,
    }


def _write(folder: Path, hostfile: str, inventory: dict[str, Any]) -> None:
    """The cluster's files; the inventory last, for it says that the cluster is there."""
    operator_key.write(folder / "hostfile", hostfile.encode(), 0o644)
    operator_key.write(folder / "inventory.json", (json.dumps(inventory, indent=1) + "\n").encode(), 0o644)


main()
