"""How a case among several is left to `make test-all`."""

from typing import Any

import pytest


def thorough(*values: Any, name: str | None = None) -> Any:
    """The case of these values, and perhaps of this name, for `pytest.mark.parametrize`."""
    return pytest.param(*values, id=name, marks=pytest.mark.thorough)
