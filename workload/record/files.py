"""Writes files whole or not at all, and reads JSON documents.

Standard library only.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from workload.record.schema import SchemaError, check_version


def write_json(path: Path, document: object) -> None:
    """Writes the document whole or not at all. Raises OSError, leaving no part behind."""
    write_whole(path, json.dumps(document, indent=1, allow_nan=False) + "\n")


def write_whole(path: Path, content: str | bytes | memoryview, mode: int = 0o644) -> None:
    """Writes text (UTF-8, line ends as they are) or bytes whole or not at all: write, fsync, rename.

    Never readable by more than `mode` says. Raises OSError, leaving no part behind.
    """
    data = content.encode() if isinstance(content, str) else content
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises SchemaError (truncated, not an object, another version) or OSError."""
    document = read_object(path)
    check_version(document, str(path))
    return document


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file, of any version. Raises SchemaError (truncated, not an object) or OSError."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:  # covers bad UTF-8 as well
        raise SchemaError(f"{path}: not complete JSON ({error}): it was cut short, or is not a record") from error
    if not isinstance(document, dict):
        raise SchemaError(f"{path}: does not hold a JSON object")
    return document
