"""What a stack's files say in plain text: its name, Google's project, the address of Google's interface."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.errors import Refusal

NAME = re.compile(r"[a-z][a-z0-9]{0,19}")  # no dash: no stack's names may begin as another's do
PROJECT = "gcp:project"
ENDPOINT = "gcp:computeCustomEndpoint"
LIFETIME = "convscale:lifetime"


@dataclass(frozen=True)
class StackSettings:
    """`project` is None where no file names it; `endpoint` where it is Google's own."""

    stack: str
    project: str | None = None
    endpoint: str | None = None


def prefix(stack: str) -> str:
    """How the name of everything of the stack begins at Google; empty: of every stack."""
    return f"convscale-{stack}-" if stack else "convscale-"


def stack_name(cluster: str, root: Path) -> str:
    """The stack of `--cluster fat` or `--cluster Pulumi.fat.yaml`. Raises Refusal where it can be none."""
    path = Path(cluster)
    found = re.fullmatch(r"Pulumi\.(.+)\.yaml", path.name)
    name = found[1] if found else cluster
    if found and path.absolute().parent != root:
        raise Refusal(f"{cluster} lies outside {root}: a stack's file lies beside Pulumi.yaml")
    if not NAME.fullmatch(name):
        raise Refusal(f"stack {name!r} is no name: give lower-case letters and digits, a letter first, at most 20")
    if not written_file(name, root).exists():
        raise Refusal(f"there is no Pulumi.{name}.yaml in {root}: write it, after Pulumi.fat.yaml")
    return name


def read(stack: str, root: Path) -> StackSettings:
    """The stack's own file over the one that comes with the project, key by key. Raises Refusal."""
    found = config(stack, root)
    return StackSettings(stack, _text(found, PROJECT), _text(found, ENDPOINT))


def written_file(stack: str, root: Path) -> Path:
    """Where the project keeps a stack's settings."""
    return root / f"Pulumi.{stack}.yaml"


def own_file(stack: str, root: Path) -> Path:
    """Where Pulumi keeps the settings of a person's own stack."""
    return root / "infra" / "stacks" / f"Pulumi.{stack}.yaml"


def stacks_in(folder: Path) -> list[str]:
    """The stacks whose settings lie in a folder, by name."""
    return sorted(path.name.split(".")[1] for path in folder.glob("Pulumi.*.yaml"))


def config(stack: str, root: Path) -> dict[str, Any]:
    """The keys of the stack's own file over those of the one that comes with the project. Raises Refusal."""
    return _config(written_file(stack, root)) | _config(own_file(stack, root))


def count(keys: Mapping[str, Any], stack: str, key: str) -> int | None:
    """A number of nodes or slots; None where the files leave it open. Raises Refusal."""
    value = keys.get(f"convscale:{key}")
    if value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise Refusal(f"Pulumi.{stack}.yaml: convscale:{key} {value!r} is no count: give a whole number of at least 1")
    return number


def _config(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        words = " ".join(str(error).split())
        raise Refusal(f"{path} cannot be read as YAML ({words}): mend it, or take it away") from error
    config = document.get("config") if isinstance(document, Mapping) else None
    return dict(config) if isinstance(config, Mapping) else {}


def _text(config: Mapping[str, Any], key: str) -> str | None:
    value = config.get(key)
    return value if isinstance(value, str) and value else None
