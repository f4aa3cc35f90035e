"""The tasks `clusters`, `up` and `down`. The provider of the cluster does the work."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from orchestration.tasks.arguments import YES, amount
from orchestration.tasks.common import ROOT, known_clusters, operator, reports_errors, terminable, utc_now
from orchestration.tasks.printing import print_line

MADE = (
    "compose-light, compose-fat (containers here); on Google Cloud fat, light, any Pulumi.<name>.yaml, or type and "
    "count of machines, as c3-highcpu-22x4"
)


@task(auto_shortflags=False)
@reports_errors
def clusters(_context: Context) -> None:
    """List the clusters that `--cluster` takes, and the status of each."""
    known = known_clusters()
    rows = [(name, known.provider(name)) for name in known.names()]
    names, kinds = (max(map(len, column)) for column in zip(*((name, of.kind) for name, of in rows), strict=True))
    for name, provider in rows:
        print_line(f"{name:{names}}  {provider.kind:{kinds}}  {provider.status(name, ROOT, utc_now())}")


@task(
    help={
        "cluster": MADE,
        "budget": "on Google Cloud: the money to spend, in the price's currency, instead of a lifetime",
        "keep": "on Google Cloud: leave a half-made cluster, to look into it",
        "replace": "on Google Cloud: also replace nodes that stand, once everything on them is fetched",
        "build-tools": "containers: with compilers and make, so that programs can be built on the head",
        "yes": YES,
    },
    auto_shortflags=False,
)
@reports_errors
def up(
    _context: Context,
    cluster: str = "",
    budget: str = "",
    keep: bool = False,
    replace: bool = False,
    build_tools: bool = False,
    yes: bool = False,
) -> None:
    """Start a cluster: containers on this machine, or nodes on Google Cloud, whose price is shown first."""
    from orchestration.clusters.provider import UpFlags

    flags = UpFlags(amount("--budget", budget), keep, replace, build_tools)
    provider = known_clusters().provider(cluster)
    with terminable():
        found = provider.up(cluster, flags, operator(yes))
    count = len(found.nodes)
    ends = f", until {found.expires_at}" if found.expires_at else ""
    print(f"{found.cluster}: {count} node{'s' * (count > 1)}, {found.slots} slots, reachable{ends}")


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
@reports_errors
def down(
    _context: Context,
    cluster: str = "",
    discard: bool = False,
    orphans: bool = False,
    project: str = "",
    yes: bool = False,
) -> None:
    """Take a cluster down: nodes, network, keys, inventory; on Google Cloud, with proof that nothing is left."""
    known, us = known_clusters(), operator(yes)
    if orphans:
        deleted = sum(provider.orphans(cluster, project, discard, us) for provider in known.with_orphans(cluster))
        print(f"{deleted} things deleted" if deleted else f"nothing is left of {cluster or 'any cluster'}")
        return
    known.provider(cluster).down(cluster, discard, us)
    print(f"{cluster} is down")
