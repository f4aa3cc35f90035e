"""Clusters with Slurm that a person describes: infra/clusters/<name>/cluster.toml, for jobs from a login node."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from orchestration.clusters.folder import folder_of, home
from orchestration.errors import Refusal
from orchestration.jobs.launchers import MPIRUN, OF_RANKS, SRUN
from orchestration.messages import explain
from orchestration.provision import batch
from workload.record.files import write_whole
from workload.record.schema import SchemaError, check_version

WORD = r"^[^\s,]+$"
FOLDER = r"^/"
PATTERNS = {
    WORD: "give one word, without commas",
    FOLDER: "give an absolute path",
}
Word = Annotated[str, Field(pattern=WORD)]
HEADER = "# Written by 'fab inventory --slurm'; docs/formats.md says what each key means.\n"


class SlurmCluster(BaseModel):
    """The description. Jobs go to the first of `partitions` unless another is asked for, without any to the default.

    `launcher`: what starts ranks, for all MPIs or by MPI; without it what works.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    schema_version: Literal[1] = 1
    partitions: list[Word] = []
    account: Word = ""
    time: str = ""
    modules: list[Word] = []
    sbatch_options: list[str] = []
    shared_folders: list[Annotated[str, Field(pattern=FOLDER)]] = []
    launcher: str | dict[str, str] = {}

    @field_validator("time")
    @classmethod
    def _time(cls, value: str) -> str:
        if batch.minutes_of(value) is None:
            raise ValueError(batch.TIMES)
        return value

    @field_validator("launcher")
    @classmethod
    def _launcher(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        chosen = value if isinstance(value, dict) else dict.fromkeys(OF_RANKS, value)
        if not (chosen.keys() <= set(OF_RANKS) and set(chosen.values()) <= {SRUN, MPIRUN}):
            raise ValueError(f"give {SRUN} or {MPIRUN}, or one of them by MPI ({', '.join(OF_RANKS)})")
        return value


def launchers_of(described: SlurmCluster) -> dict[str, str]:
    """The launchers that the description chooses, by MPI."""
    chosen = described.launcher
    return dict.fromkeys(OF_RANKS, chosen) if isinstance(chosen, str) else dict(chosen)


def path_of(cluster: str, root: Path) -> Path:
    """Where a cluster is described. Raises Refusal for what cannot be a name."""
    return folder_of(cluster, root).description


def names(root: Path) -> Sequence[str]:
    """The clusters that are described."""
    return sorted(path.parent.name for path in home(root).glob(f"*/{path_of('any', root).name}"))


def read(cluster: str, root: Path) -> SlurmCluster:
    """The description of a cluster. Raises Refusal."""
    path = path_of(cluster, root)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        check_version(document, str(path))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{path} is no TOML ({error}): correct it") from error
    except SchemaError as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror}): describe the cluster anew") from error
    return parse(document, str(path))


def parse(document: Mapping[str, Any], source: str) -> SlurmCluster:
    """The description in a document; `source` says where it came from. Raises Refusal naming the first wrong key."""
    try:
        return SlurmCluster.model_validate(document)
    except ValidationError as error:
        raise Refusal(f"{source}: {explain(error, SlurmCluster, PATTERNS)}") from error


def write(cluster: str, root: Path, described: SlurmCluster) -> Path:
    """Writes the description of a new cluster; the path of the file. Raises OSError."""
    path = path_of(cluster, root)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, HEADER + tomli_w.dumps(described.model_dump(exclude_defaults=True) | {"schema_version": 1}))
    return path


def check_shared(described: SlurmCluster, cluster: str, root: Path, paths: Sequence[Path]) -> None:
    """Raises Refusal where one of the paths lies in no folder that all nodes share, where the description has some."""
    shared = [Path(folder).resolve() for folder in described.shared_folders]
    for path in paths:
        if shared and not any(path.resolve().is_relative_to(folder) for folder in shared):
            raise Refusal(
                f"{path} lies in no folder that the nodes of {cluster} share ({', '.join(described.shared_folders)}): "
                f"put it there, or add its folder to shared_folders in {path_of(cluster, root)}"
            )
