from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.orchestration.campaign.checkout import Checkout, copied


@pytest.fixture(scope="module")
def copy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the checkout with clusters that have a price, for the tests of a module, which says what it spares."""
    return copied(tmp_path_factory.mktemp("campaign") / "tree", *request.module.SPARED)


@pytest.fixture
def checkout(copy: Checkout) -> Iterator[Checkout]:
    """It, as no test left it."""
    yield copy
    copy.clear()
