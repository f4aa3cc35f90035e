"""The one spelling of a document, which digests are taken of. Standard library only."""

from __future__ import annotations

import json


def canonical_json(document: object) -> str:
    """The one spelling of a document: sorted keys, no white space, no NaN."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
