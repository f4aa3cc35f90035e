"""How cases and examples are left to `make test-all`."""

from typing import Any

import pytest
from hypothesis import settings


def thorough(*values: Any, name: str | None = None) -> Any:
    """The case of these values, and perhaps of this name, for `pytest.mark.parametrize`."""
    return pytest.param(*values, id=name, marks=pytest.mark.thorough)


def examples(most: int) -> settings:
    """So many examples of a property in `make test-all`, fewer in `make test`."""
    return settings(max_examples=min(most, settings.default.max_examples))
