"""The protocol of `workload.agent.control`: heartbeats, then one JSON object on the last line."""

from __future__ import annotations

import errno
import json
import time
from typing import Any

from orchestration.executors.remote.survey import printable
from orchestration.ssh.connection import UnreachableError

SILENCE_S = 8.0  # of a watched job: its watcher beats once a second


def follow(channel: Any, deadline: float) -> bytes | None:
    """A watcher's answer, after its beats; None past the deadline. Raises TimeoutError where it falls silent."""
    heard = b""
    channel.settimeout(SILENCE_S)
    while piece := channel.recv(65536):
        heard = (heard + piece).lstrip()
        if time.monotonic() > deadline:
            channel.close()
            return None
    return heard


def rest(channel: Any) -> bytes:
    heard = b""
    while piece := channel.recv(65536):
        heard += piece
    return heard


def _error(said: Any) -> tuple[int, str, str]:
    """What an OSError was made of over there, whatever came."""
    number, words, name = said if isinstance(said, list) and len(said) == 3 else (None, said, "")
    return number if type(number) is int else errno.EIO, str(printable(str(words)))[:500], str(printable(str(name)))


def last_object(out: bytes, err: bytes) -> dict[str, Any]:
    """The JSON object on the last line. Raises OSError where it says so, UnreachableError where there is none."""
    lines = out.decode(errors="replace").strip().splitlines()
    try:
        document = json.loads(lines[-1])
    except (ValueError, IndexError, RecursionError):
        words = err.decode(errors="replace").strip().splitlines() or ["the connection broke"]
        raise UnreachableError(f"the head gave no answer: {words[-1][:300]}") from None
    if not isinstance(document, dict):
        raise UnreachableError("the head gave no answer")
    if "error" in document:
        number, what, name = _error(document["error"])
        raise OSError(number, what, name)
    return document
