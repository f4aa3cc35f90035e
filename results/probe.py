"""A cluster's probe (workload.probe) as frozen types: what its links, its memory and its cores can do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workload.record import SchemaError, check_version

WITHIN, BETWEEN = "within", "between"


@dataclass(frozen=True)
class Link:
    """Two ranks: seconds one way by bytes of the message, ascending."""

    scope: str
    one_way_s: tuple[tuple[int, float], ...]

    @property
    def latency_s(self) -> float:
        return self.one_way_s[0][1]

    @property
    def bytes_per_s(self) -> float:
        """Of the longest message."""
        size, seconds = self.one_way_s[-1]
        return size / seconds


@dataclass(frozen=True)
class Rates:
    """A rate by the number of ranks of a node at work at once, ascending."""

    by_active: tuple[tuple[int, float], ...]

    def at(self, active: int) -> float:
        """At that many ranks: between two measured counts in logarithms, beyond the last as at the last."""
        below = [point for point in self.by_active if point[0] <= active] or [self.by_active[0]]
        above = [point for point in self.by_active if point[0] >= active] or [self.by_active[-1]]
        (low, slow), (high, fast) = below[-1], above[0]
        if low >= high:
            return fast if high == active else slow
        share = math.log(active / low) / math.log(high / low)
        return float(slow ** (1.0 - share) * fast**share)


@dataclass(frozen=True)
class Probe:
    """`memory`: bytes a second of all active ranks; `multiply_add` and `convolve`: operations a second of one rank.

    Of several nodes the slowest counts: the others wait for it.
    """

    cluster: str
    measured_utc: str
    links: tuple[Link, ...]
    memory: Rates
    multiply_add: Rates | None
    convolve: Mapping[str, Rates]

    def link(self, scope: str) -> Link | None:
        """The slowest link of a scope; None where none was measured."""
        return min(
            (link for link in self.links if link.scope == scope), key=lambda link: link.bytes_per_s, default=None
        )


def parse(document: Mapping[str, Any], name: str) -> Probe:
    """The probe of a document. Raises SchemaError, naming it, where it is none."""
    check_version(document, name)
    try:
        if document["kind"] != "probe":
            raise ValueError("its kind is not probe")
        nodes = document["nodes"]
        backends = {entry["backend"] for node in nodes for entry in node["convolve"]}
        multiply_add = [entry for node in nodes for entry in node["multiply_add"]]
        return Probe(
            cluster=str(document.get("cluster", "")),
            measured_utc=str(document.get("measured_utc", "")),
            links=tuple(_link(link) for link in document["links"]),
            memory=_slowest([entry for node in nodes for entry in node["memory"]], "bytes_per_s"),
            multiply_add=_slowest(multiply_add, "flops_per_s") if multiply_add else None,
            convolve={
                backend: _slowest(
                    [entry for node in nodes for entry in node["convolve"] if entry["backend"] == backend],
                    "flops_per_s",
                )
                for backend in sorted(backends)
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SchemaError(f"{name} is no probe ({error}): make another with 'fab probe'") from error


def _link(document: Mapping[str, Any]) -> Link:
    if document["scope"] not in (WITHIN, BETWEEN):
        raise ValueError(f"a link is {document['scope']!r}")
    messages = sorted((int(item["bytes"]), _positive(item["one_way_s"])) for item in document["messages"])
    if not messages:
        raise ValueError("a link has no message")
    return Link(document["scope"], tuple(messages))


def _slowest(entries: Sequence[Mapping[str, Any]], key: str) -> Rates:
    rates: dict[int, float] = {}
    for entry in entries:
        active = int(entry["active"])
        rates[active] = min(rates.get(active, math.inf), _positive(entry[key]))
    if not rates or min(rates) < 1:
        raise ValueError(f"no {key}")
    return Rates(tuple(sorted(rates.items())))


def _positive(value: Any) -> float:
    number = float(value)
    if not (math.isfinite(number) and number > 0.0):
        raise ValueError(f"{value} is no measurement")
    return number
