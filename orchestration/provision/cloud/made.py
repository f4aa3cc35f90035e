"""Stacks that nobody wrote a file for: made for a type and count of machines, removed when it is down.

Such a stack has its settings in infra/stacks alone, beside those that a person set for the stacks with a file. Who may
enter, and where a cluster stands, it takes from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestration.errors import Refusal
from orchestration.provision.cloud.clients import stack_settings
from orchestration.provision.cloud.type_and_count import STACK, TypeAndCount
from workload.record.files import write_whole

# Whose the clusters are, where they stand and who may enter: the same for all of a person's
PERSONAL = (
    stack_settings.PROJECT,
    stack_settings.ENDPOINT,
    *(f"convscale:{key}" for key in ("zone", "ssh_from", "external_address", "owner", "operator_key")),
)


def is_ours(stack: str, root: Path) -> bool:
    """Whether a stack of that name is one of these: type and count are its name, and nobody wrote a file for it."""
    return STACK.fullmatch(stack) is not None and not stack_settings.written_file(stack, root).exists()


def is_made(stack: str, root: Path) -> bool:
    """Whether it is one of these, and has its settings here."""
    return is_ours(stack, root) and stack_settings.own_file(stack, root).exists()


def names(root: Path) -> Sequence[str]:
    """Of those that are there."""
    return [name for name in stack_settings.stacks_in(root / "infra" / "stacks") if is_made(name, root)]


def write(wanted: TypeAndCount, root: Path) -> bool:
    """Writes the stack's settings; False where they are there already. Raises Refusal."""
    import yaml

    path = stack_settings.own_file(wanted.stack, root)
    if path.exists():
        return False
    config = {
        **_personal(root),
        "convscale:machine_type": wanted.machine_type,
        "convscale:nodes": str(wanted.count),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, yaml.safe_dump({"config": config}))
    except OSError as error:
        raise Refusal(f"{path} cannot be written ({error.strerror})") from error
    return True


def _personal(root: Path) -> dict[str, Any]:
    """What the person's stacks agree on. Raises Refusal where they do not, or where none names a project."""
    found: dict[str, dict[str, Any]] = {}  # by key: the value by stack
    for stack in stack_settings.stacks_in(root):
        for key, value in stack_settings.config(stack, root).items():
            if key in PERSONAL and not isinstance(value, dict):  # a secret is its own stack's
                found.setdefault(key, {})[stack] = value
    for key, values in found.items():
        if len({str(value) for value in values.values()}) > 1:
            said = ", ".join(f"{value!r} in {stack}" for stack, value in values.items())
            raise Refusal(f"{key} is {said}: a stack that is made takes what your stacks agree on; set them alike")
    for key in (stack_settings.PROJECT, "convscale:ssh_from"):
        if key not in found:
            raise Refusal(
                f"none of your stacks says {key}, which a stack that is made takes from them: set it in one, "
                f"'pulumi stack select --create fat; pulumi config set {key} ...'"
            )
    return {key: next(iter(values.values())) for key, values in found.items()}
