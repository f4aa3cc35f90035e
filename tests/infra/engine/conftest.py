from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.infra.engine.desk import Desk


@pytest.fixture
def sit(tmp_path: Path) -> Iterator[Callable[[str], Desk]]:
    """A desk for a stack."""
    if shutil.which("pulumi") is None:
        pytest.skip("the program 'pulumi' is not on PATH ('curl -fsSL https://get.pulumi.com | sh' installs it)")
    from tests.infra.engine.cloud import Cloud
    from tests.infra.engine.desk import Desk
    from tests.infra.engine.provider import Provider, Serving
    from tests.orchestration.provision.cloud.compute import serving

    made: list[Desk] = []
    with serving() as compute:
        compute.project = "my-project"

        def new(stack: str) -> Desk:
            attached = Serving(Provider(Cloud(compute)))
            attached.start()
            made.append(Desk(tmp_path, attached, stack))
            return made[-1]

        yield new
        for desk in made:
            desk.close()
            desk.serving.crash()
