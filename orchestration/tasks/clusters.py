"""The fab tasks that make clusters and see to their nodes: short bodies, as in tasks.py."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from orchestration.errors import Refusal
from orchestration.tasks.common import ROOT, RUNS, cloud, console, number, speaking, terminable, words

if TYPE_CHECKING:
    from orchestration.clusters.inventory import Inventory

CLUSTER = {"cluster": "a name that `fab clusters` lists, or the path of an inventory.json"}


MADE = "compose-light, compose-fat (containers here), or a stack on Google Cloud: fat, light, any Pulumi.<name>.yaml"
YES = "ask nothing: for scripts"


@task(
    help={
        "cluster": MADE,
        "budget": "on Google Cloud: so much money, in the price's currency, instead of a lifetime",
        "keep": "on Google Cloud: leave a half-made cluster, to look into it",
        "yes": YES,
    },
    auto_shortflags=False,
)
@speaking
def up(_context: Context, cluster: str = "", budget: str = "", keep: bool = False, yes: bool = False) -> None:
    """Start a cluster: containers on this machine, or, shown and priced first, nodes on Google Cloud."""
    from orchestration.provision.containers.cluster import named
    from orchestration.tasks.takedown import is_stack
    from workload.agent.supervise import utc_now

    if is_stack(cluster, ROOT):
        with terminable():
            found = cloud(yes).up(cluster, _amount("--budget", budget), keep)
        ends = f", until {found.expires_at}" if found.expires_at else ""
    else:
        found, ends = named(cluster, ROOT, dict(os.environ), print_line).up(utc_now()), ""
    count = len(found.nodes)
    print(f"{cluster}: {count} node{'s' * (count > 1)}, {found.slots} slots, reachable{ends}")


@task(
    help={
        "cluster": MADE,
        "discard": "also where the head holds records that are not here",
        "orphans": "list by name what is left at Google, and delete it on consent: without Pulumi's state",
        "project": "with --orphans: Google's project (default: the stack's, or your own)",
        "yes": YES,
    },
    auto_shortflags=False,
)
@speaking
def down(
    _context: Context,
    cluster: str = "",
    discard: bool = False,
    orphans: bool = False,
    project: str = "",
    yes: bool = False,
) -> None:
    """Take a cluster down: nodes, network, keys, inventory; on Google Cloud, with proof that nothing is left."""
    from orchestration.paths import RunsFolder
    from orchestration.tasks.takedown import taker

    if orphans:
        deleted = cloud(yes).orphans(cluster, project, discard)
        print(f"{deleted} things deleted" if deleted else f"nothing is left of {cluster or 'any cluster'}")
        return
    taker(cloud(yes), cluster, RunsFolder(RUNS), discard)()
    print(f"{cluster} is down")


@task(help=CLUSTER, auto_shortflags=False)
@speaking
def push(_context: Context, cluster: str = "") -> None:
    """Bring the workload to every node: one copy to the head, from there by broadcast; only what changed."""
    from orchestration.clusters.registry import living
    from orchestration.jobs.remote.upload import push as push_workload
    from workload.agent.supervise import utc_now

    pushed = push_workload(living(_remote(cluster), utc_now()), ROOT)
    changed = ", ".join(pushed.changed) or "no node: all had it"
    print(f"workload {pushed.digest[:16]}: {pushed.sent_bytes} bytes to the head; new on {changed}")


@task(
    help={
        "cluster": "a stack on Google Cloud that another machine brought up: write its files here too",
        "hosts": "the machines, comma-separated, head first: as this machine and they themselves reach them",
        "name": "what the cluster is to be called",
        "user": "who logs in there (default: who you are here)",
        "key-file": "private key (default: your agent, or the keys in ~/.ssh)",
        "python": "the nodes' Python, with mpirun beside it",
        "workdir": "folder on the nodes that may hold the workload",
        "slots": "ranks a machine takes (default: its physical cores)",
        "memory-gib": "memory of a machine (default: what it has)",
        "subnet": "network between the machines: 10.0.0.0/24 (default: the head's one that holds all the others)",
        "expect": "fingerprints SHA256:... that you read on the machines, comma-separated, in place of the question",
    },
    auto_shortflags=False,
)
@speaking
def inventory(  # noqa: PLR0913, PLR0917  one argument a flag
    _context: Context,
    cluster: str = "",
    hosts: str = "",
    name: str = "",
    user: str = "",
    key_file: str = "",
    python: str = "/opt/convscale/venv/bin/python",
    workdir: str = "/opt/convscale",
    slots: str = "",
    memory_gib: str = "",
    subnet: str = "",
    expect: str = "",
) -> None:
    """Write down your own machines as a cluster: pin their host keys, ask them for cores and memory."""
    from orchestration.clusters.registry import folder
    from orchestration.provision.own_machines import Login, add
    from workload.agent.supervise import utc_now

    if cluster:
        found = cloud(yes=False).files(cluster)
        print(
            f"{cluster}: {len(found.nodes)} nodes, {found.slots} slots; files in {folder(found.cluster, ROOT).folder}"
        )
        return
    if not hosts or not name:
        raise Refusal("give --hosts a,b,c (the head first) and --name, what the cluster is to be called")
    login = Login(
        user=user or getpass.getuser(),
        key_file=str(Path(key_file).expanduser().absolute()) if key_file else None,
        python=python,
        workdir=workdir,
        subnet=subnet or None,
    )
    sizes = (number("--slots", slots), number("--memory-gib", memory_gib))
    added = add(folder(name, ROOT), words(hosts), login, sizes, utc_now(), lambda found: _trust(found, words(expect)))
    print(f"{name}: {len(added.nodes)} nodes, {added.slots} slots; 'fab check --cluster {name}' says what is missing")


@task(
    help=CLUSTER | {"expect": "fingerprints SHA256:... read on the machines, in place of the question"},
    auto_shortflags=False,
)
@speaking
def trust(_context: Context, cluster: str = "", expect: str = "") -> None:
    """Show the fingerprints of the nodes' host keys, to compare, and pin them."""
    _trust(_remote(cluster), words(expect))


@task(help=CLUSTER | {"node": "name of a node (default: the head)"}, auto_shortflags=False)
@speaking
def ssh(_context: Context, cluster: str = "", node: str = "") -> None:
    """Open a shell on a node, by the pinned keys."""
    from orchestration.messages import unknown
    from orchestration.ssh import config_file

    inventory = _remote(cluster)
    names = [item.name for item in inventory.nodes]
    if node and node not in names:
        raise Refusal(unknown("node", node, names))
    key = Path(inventory.key_file) if inventory.key_file else None
    with tempfile.NamedTemporaryFile("w", prefix="convscale-ssh-") as config:
        config.write(config_file.text(inventory, key, Path(inventory.known_hosts or "/dev/null")))
        config.flush()
        done = subprocess.run(["ssh", "-F", config.name, "--", node or names[0]], check=False)  # noqa: S603, S607
    if done.returncode:
        raise Exit(code=1)


@task(
    help=CLUSTER | {"sweep": "folder of a sweep, more than once for several (default: all under results/runs)"},
    iterable=["sweep"],
    auto_shortflags=False,
)
@speaking
def clean(_context: Context, sweep: Sequence[str], cluster: str = "") -> None:
    """End and remove what killed or lost sweeps of this checkout left on a cluster; finished records stay."""
    from orchestration.clusters.registry import find
    from orchestration.jobs.mpirun import kept_environment
    from orchestration.paths import RunsFolder
    from orchestration.sweep.cleanup import at, of_cluster
    from orchestration.sweep.cleanup import clean as clean_up
    from workload.agent.supervise import utc_now

    found = find(cluster, ROOT, utc_now())
    sweeps = [at(Path(name), found) for name in sweep] or of_cluster(found, RunsFolder(RUNS))
    removed = clean_up(found, sweeps, kept_environment(dict(os.environ)), print_line)
    print(f"{cluster}: {removed} runs' leftovers removed" if removed else f"{cluster}: nothing to remove")


def _trust(found: Inventory, fingerprints: Sequence[str]) -> None:
    """Shows the keys; pins what the person compared, by eye or by `--expect`."""
    from rich.table import Table

    from orchestration.ssh import trust
    from orchestration.ssh.known_hosts import reached_at

    shown = trust.scan(found)
    table = Table("node", "reached at", "key", "fingerprint", "")
    for item in shown:
        place = "{}:{}".format(*reached_at(item.node))
        table.add_row(item.node.name, place, (item.key or "").split(" ")[0], item.fingerprint, item.state.value)
    console().print(table)
    for item in shown:
        if item.state is trust.State.SILENT:
            print(f"convscale: {item.node.name} does not answer: {item.why}", file=sys.stderr)
    if not trust.unpinned(shown):
        return
    if fingerprints:
        trust.expected(shown, fingerprints)
    elif not _agreed():
        raise Refusal("nothing is pinned: compare the fingerprints, then say yes, or give them by --expect")
    trust.pin(found, shown)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        return False
    print("Compare with what 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' prints on each machine itself.")
    return input("Pin these keys? Type yes: ").strip() == "yes"


def _remote(cluster: str) -> Inventory:
    """The inventory of a cluster that is not this machine. Raises Refusal."""
    from orchestration.clusters.registry import find
    from workload.agent.supervise import utc_now

    found = find(cluster, ROOT, utc_now())
    if found.launcher == "local":
        raise Refusal(f"cluster {cluster} is this machine: there is no other to reach; give another --cluster")
    return found


def _amount(flag: str, text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise Refusal(f"{flag} {text!r} is no amount: give for example {flag} 5") from None


def print_line(line: str) -> None:
    print(line, flush=True)
