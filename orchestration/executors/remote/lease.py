"""The lease of a cluster. It is kept on the head, so it holds for other checkouts and other people, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from orchestration.errors import Refusal
from orchestration.executors.remote.head import ASK_S, Head
from orchestration.executors.remote.survey import printable
from orchestration.jobs.executor import Lease
from orchestration.ssh.connection import UnreachableError
from workload.record.schema import SchemaError, check_shape

TOLD = ("folder", "who", "since_utc")
SHAPE = {"sweep": str, "folder": str, "who": str, "since_utc": str, "fab": {"pid": int, "create_time": float}}


class HeadLease(Lease):
    """The lease of a cluster, taken and given back on its head."""

    def __init__(self, head: Head) -> None:
        self._head = head

    def take(self, document: Mapping[str, Any], *dead: str) -> Mapping[str, Any] | None:
        """Takes the cluster for a sweep; returns the lease of another sweep where that holds.

        `dead`: the mark of a sweep whose `fab` is known to be dead. Raises OSError, HeadLostError.
        """
        argv = self._head.control("take", str(self._head.jobs), *dead)
        asked = json.dumps(document).encode()
        other = self._head.insist(lambda: self._head.answer(argv, stdin=asked)).get("other")
        return other if isinstance(other, dict) else None

    def release(self, mark: str) -> None:
        """Gives a sweep's lease back. A head that does not answer is not waited for: the lease ends by itself."""
        if self._head.name in self._head.silent:
            return
        with suppress(UnreachableError, Refusal, OSError):
            self._head.answer(self._head.control("release", str(self._head.jobs), mark), limit_s=ASK_S)


def taken(other: Mapping[str, Any]) -> str:
    """By whom a cluster is held, and what to do."""
    return (
        f"{whose(other)}: wait for it, for two at once would measure each other; where its fab was killed, 30 s after "
        "its last run will do"
    )


def whose(other: Mapping[str, Any]) -> str:
    """By whom a cluster is held, in words; what comes from elsewhere is not trusted."""
    return f"is at work in {told}" if (told := described(other)) else "is held by another sweep"


def described(other: Mapping[str, Any]) -> str:
    """A sweep's folder and who started it when; empty where the lease does not say. Nothing in it is trusted."""
    try:
        check_shape(other, SHAPE, "the lease")
    except SchemaError:
        return ""
    said = {name: str(printable(other[name]))[:200] for name in TOLD}
    return f"{said['folder']} ({said['who']}, since {said['since_utc']})"
