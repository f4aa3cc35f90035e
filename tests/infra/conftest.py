from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.infra.program import Ran


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the Pulumi program, whose cluster files are nobody's."""
    from tests.infra import program

    return program.tree(tmp_path / "tree")


@pytest.fixture(scope="session")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ran]:
    """Runs a stack with settings once a session: each run takes a moment, and many tests look at the same."""
    from tests.infra import program

    known: dict[str, program.Ran] = {}

    def run(stack: str, config: dict[str, str], preview: bool = False) -> program.Ran:
        key = f"{stack} {config} {preview}"
        if key not in known:
            known[key] = program.run(program.tree(tmp_path_factory.mktemp("variant") / "tree"), stack, config, preview)
        return known[key]

    return run
