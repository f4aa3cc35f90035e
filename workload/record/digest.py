"""Digests, SHA-256 in hex, of a document, a file, and the code in a folder.

Standard library only, and imports nothing of ours: `agent/standalone/` sends its text to nodes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def canonical_json(document: object) -> str:
    """The one way to write a document: sorted keys, no white space, no NaN (ValueError)."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def document_digest(document: object) -> str:
    """Digest of the document's canonical JSON."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Digest of a file's content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_digest(folder: Path) -> str | None:
    """Digest of paths and contents of the .py files below the folder, None if there are none. Raises OSError."""
    paths = sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix())
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(folder).as_posix()} {file_digest(path)}\n".encode())
    return total.hexdigest() if paths else None
