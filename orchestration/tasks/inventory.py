"""The tasks `inventory` and `trust`: write a cluster's files, and pin its nodes' host keys."""

from __future__ import annotations

import getpass
import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.tasks import task

from orchestration.errors import Refusal
from orchestration.tasks.arguments import CLUSTER, number, words
from orchestration.tasks.common import ROOT, find_remote, known_clusters, operator, reports_errors, utc_now
from orchestration.tasks.printing import print_line, short

# what `fab submit` takes from the description, unless it is typed there
SLURM_HELP = {
    "partition": "where jobs go, comma-separated, the usual one first (default: Slurm's default)",
    "account": "what jobs are charged to",
    "time": "how long a job is without 'fab submit --time'",
    "module": "modules to load before, comma-separated",
    "shared-folder": "folders that all nodes share, comma-separated (default: this checkout)",
    "launcher": "srun or mpirun, which starts ranks (default: what works)",
}


def _with_flags_of_slurm(body: Any) -> Any:
    """The body with a flag for each of SLURM_HELP."""
    own = list(inspect.signature(body).parameters.values())[:-1]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = (flag.replace("-", "_") for flag in SLURM_HELP)
    body.__signature__ = inspect.Signature([*own, *(inspect.Parameter(name, kind, default="") for name in names)])
    return body


@task(
    help={
        "cluster": "a stack on Google Cloud that another machine brought up: write its files here too",
        "hosts": "names or addresses, comma-separated, the head first: as this machine and the nodes reach them",
        "slurm": "describe a cluster with Slurm, for 'fab submit', in place of a list of hosts",
        "name": "name of the new cluster",
        "user": "user name there (default: yours here)",
        "key-file": "private key (default: your agent, or the keys in ~/.ssh)",
        "python": "the nodes' Python, with mpirun beside it",
        "workdir": "folder on the nodes that may hold the workload",
        "slots": "ranks a machine takes (default: its physical cores)",
        "memory-gib": "memory of a machine (default: what it has)",
        "subnet": "network between the machines, as 10.0.0.0/24 (default: where the head reaches them all)",
        "expect": "fingerprints SHA256:... read on the machines, comma-separated: compared instead of asking you",
        **{flag: f"with --slurm: {text}" for flag, text in SLURM_HELP.items()},
    },
    auto_shortflags=False,
)
@reports_errors
@_with_flags_of_slurm
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
    slurm: bool = False,
    **of_slurm: str,
) -> None:
    """Make a cluster of your own machines: pin their host keys, ask them for cores and memory; or describe Slurm's."""
    from orchestration.clusters.folder import folder_of
    from orchestration.provision.host_keys import confirm
    from orchestration.provision.own_machines import Login, Machines, add
    from orchestration.provision.providers import OWN_MACHINES

    known, us = known_clusters(), operator()
    if slurm:
        _describe(name, of_slurm)
        return
    if cluster:
        found = known.provider(cluster).inventory(cluster, us)
        folder = short(folder_of(found.cluster, ROOT).folder)
        print(f"{cluster}: {len(found.nodes)} nodes, {found.slots} slots; files in {folder}")
        return
    if not hosts or not name:
        raise Refusal("give --hosts a,b,c (the head first) and --name, the name of the new cluster")
    known.check_free(name, OWN_MACHINES)
    key = str(Path(key_file).expanduser().absolute()) if key_file else None
    login = Login(user or getpass.getuser(), key, python, workdir, subnet or None)
    machines = Machines(words(hosts), login, (number("--slots", slots), number("--memory-gib", memory_gib)))
    added = add(folder_of(name, ROOT), machines, utc_now(), lambda shown: confirm(shown, words(expect), us.person))
    print_line(
        f"{name}: {len(added.nodes)} nodes, {added.slots} slots; 'fab check --cluster {name}' says what is missing"
    )


def _describe(name: str, flags: Mapping[str, str]) -> None:
    """Describes a cluster with Slurm, whose controller is asked for its partitions. Raises Refusal."""
    from orchestration.provision import batch, slurm_cluster

    if not name:
        raise Refusal("give --name, the name of the new cluster")
    if (path := slurm_cluster.path_of(name, ROOT)).exists():
        raise Refusal(f"{short(path)} describes {name}: change it there, or remove it and describe the cluster anew")
    known_clusters().check_free(name)
    found = batch.SlurmQueue(os.environ).partitions()
    chosen = [batch.partition_of(word, found) for word in words(flags["partition"]) or ("",)]
    given = {
        "partitions": [item.name for item in chosen],
        "account": flags["account"],
        "time": flags["time"],
        "modules": list(words(flags["module"])),
        "shared_folders": [
            str(Path(folder).expanduser().absolute()) for folder in words(flags["shared_folder"]) or (str(ROOT),)
        ],
        "launcher": flags["launcher"],
    }
    described = slurm_cluster.parse({key: value for key, value in given.items() if value}, "fab inventory")
    batch.check(batch.BatchRequest(1, batch.minutes_of(flags["time"]) or 1, chosen[0].name), found)
    print_line(f"{name}: {short(slurm_cluster.write(name, ROOT, described))}")
    for item in chosen:
        limit = "without a time limit" if item.minutes is None else f"for at most {item.minutes} min"
        print_line(f"partition {item.name}: {item.nodes} nodes of {item.cpus} CPUs, {limit}")
    print_line(f"'fab submit --cluster {name} --nodes {chosen[0].nodes} --time 1h --dry-run' shows what a sweep takes")


@task(
    help={
        "cluster": CLUSTER,
        "expect": "fingerprints SHA256:... read on the machines, comma-separated: compared instead of asking you",
    },
    auto_shortflags=False,
)
@reports_errors
def trust(_context: Context, cluster: str = "", expect: str = "") -> None:
    """Show the fingerprints of the nodes' host keys for comparison, and pin the keys."""
    from orchestration.provision.host_keys import confirm

    confirm(find_remote(cluster), words(expect), operator().person)
