"""Jobs on a cluster's head that have no record here: what would be lost with the cluster."""

from __future__ import annotations

from contextlib import closing
from pathlib import PurePosixPath

from orchestration.clusters.inventory import Inventory
from orchestration.errors import Refusal
from orchestration.paths import RunsFolder, SweepPaths
from orchestration.ssh.connection import Connection, UnreachableError, target
from orchestration.sweep.cleanup import of_cluster
from workload.record.token import is_token


def check(found: Inventory, runs: RunsFolder) -> str:
    """Raises Refusal where the head holds, or may hold, runs that are not recorded here.

    Returns a line where the head did not answer but no sweep here waits for anything from it; else an empty text.
    """
    name = found.cluster
    sweeps = of_cluster(found, runs)
    begun = {token: paths for paths in sweeps for token in _begun(paths)}
    remedy = f"'fab pull --cluster {name}' brings it; --discard lets it go"
    try:
        tokens = _on_head(found)
    except (UnreachableError, Refusal) as error:
        if begun:
            folders = ", ".join(sorted({paths.folder.name for paths in begun.values()}))
            raise Refusal(
                f"{len(begun)} runs of {folders} were begun on {name} and are not recorded here, and its head cannot "
                f"be asked ({error}): {remedy}"
            ) from error
        return f"the head cannot be asked what it holds ({error}); no sweep here waits for anything of it"
    recorded = {token for paths in sweeps for token in tokens if _recorded(paths, token)}
    if left := [token for token in tokens if token not in recorded]:
        ours = sorted({begun[token].folder.name for token in left if token in begun})
        whose = f"of {', '.join(ours)}" if ours else "of another checkout, or left by a killed sweep"
        raise Refusal(f"the head of {name} holds {len(left)} runs that are not here ({whose}): {remedy}")
    return ""


def _on_head(found: Inventory) -> list[str]:
    """The jobs' folders on the head. Raises UnreachableError, Refusal."""
    folder = PurePosixPath(found.workdir) / "jobs"
    with closing(Connection(target(found, found.nodes[0]))) as connection:
        done = connection.run(["find", str(folder), "-mindepth", "1", "-maxdepth", "1", "-printf", "%f\\n"])
    return [line for line in done.out.decode(errors="replace").splitlines() if is_token(line)]


def _begun(paths: SweepPaths) -> list[str]:
    """The tokens of jobs that were started and have no record yet."""
    if not paths.jobs.is_dir():
        return []
    tokens = [job.name for job in paths.jobs.iterdir() if is_token(job.name)]
    return [token for token in tokens if not _recorded(paths, token)]


def _recorded(paths: SweepPaths, token: str) -> bool:
    run_id = token.partition("-")[0]
    return paths.token(run_id) == token and paths.record(run_id).exists()
