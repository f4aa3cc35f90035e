"""Reads a cluster's probe: what its links, memory and cores can do."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.records import gpus
from results.records.gpus import ProbedGpus, positive
from workload.domain.backends import ORDINARY
from workload.record.schema import SchemaError, check_version

WITHIN, BETWEEN = "within", "between"
ASLEEP = "asleep"
OLDER = "it is of a version that measured none"
SHAPE_NOTE = (
    "Backends are measured with 3 filters of 3 x 3 over 3 channels: those of another shape may be faster or slower."
)


class ForecastError(ValueError):
    """The probe lacks what a forecast needs; the message says what, and what to do."""


@dataclass(frozen=True)
class ProbedLink:
    """A link between two ranks: seconds one way by message size in bytes, ascending."""

    scope: str
    one_way_s: tuple[tuple[int, float], ...]

    @property
    def latency_s(self) -> float:
        return self.one_way_s[0][1]

    @property
    def bytes_per_s(self) -> float:
        """Bandwidth of the longest message."""
        size, seconds = self.one_way_s[-1]
        return size / seconds

    def seconds(self, size: float) -> float:
        """Seconds one way, interpolated in logarithms; beyond the longest measured message at its bandwidth."""
        if size <= self.one_way_s[0][0]:
            return self.latency_s
        if size >= self.one_way_s[-1][0]:
            return size / self.bytes_per_s
        above = next(index for index, (measured, _) in enumerate(self.one_way_s) if measured >= size)
        (low, fast), (high, slow) = self.one_way_s[above - 1 : above + 1]
        share = math.log(size / low) / math.log(high / low)
        return float(fast ** (1.0 - share) * slow**share)


@dataclass(frozen=True)
class Rates:
    """A rate by the number of ranks of a node that are active at once, ascending."""

    by_active: tuple[tuple[int, float], ...]

    def at(self, active: float) -> float:
        """The rate with that many active ranks: interpolated in logarithms, beyond the largest count the last rate."""
        below = [point for point in self.by_active if point[0] <= active] or [self.by_active[0]]
        above = [point for point in self.by_active if point[0] >= active] or [self.by_active[-1]]
        (low, slow), (high, fast) = below[-1], above[0]
        if low >= high:
            return fast if high == active else slow
        share = math.log(active / low) / math.log(high / low)
        return float(slow ** (1.0 - share) * fast**share)


@dataclass(frozen=True)
class Copies:
    """Bytes per second, read plus written, of all active ranks copying arrays, by array size in bytes, ascending.

    A C library may copy long arrays past the caches, at another rate than short ones.
    """

    by_size: tuple[tuple[int, Rates], ...]

    @property
    def most_active(self) -> int:
        """The largest number of ranks measured at once."""
        return self.by_size[0][1].by_active[-1][0]

    def at(self, active: float, size: float | None = None) -> float:
        """The rate for arrays of `size` bytes, by default the shortest: that of the nearest measured size."""
        if size is None or size < 1.0:
            return self.by_size[0][1].at(active)
        return min(self.by_size, key=lambda each: abs(math.log(each[0] / size)))[1].at(active)


@dataclass(frozen=True)
class Probe:
    """What the slowest node can do, since the others wait for it.

    Attributes:
        load: bytes of x per second that one rank makes.
        multiply_add: operations per second of one rank; None if not measured.
        convolve: the same of a convolution, by backend.
        spread: interquartile range over median of a figure's rounds, median over all figures.
        ranks: how many ranks it ran on.
        yardstick: operations per CPU second of a core in the yardstick (workload/instruments/yardstick.py) while all
            ranks were active, by backend; empty in older probes.
        cache: bytes per second, read plus written, of all active ranks copying arrays that fit their cores' caches, on
            the fastest node; None in older probes.
        stores: bytes per second, read plus written, of all active ranks in our own copies from memory, by the kind of
            stores; empty in older probes.
        polled: whether ranks that were not measured polled meanwhile, as in older probes; now they sleep.
        gpus: None unless every node has some that can be used; `gpus_left_out` says why.
    """

    cluster: str
    measured_utc: str
    links: tuple[ProbedLink, ...]
    memory: Copies
    load: Rates
    multiply_add: Rates | None
    convolve: Mapping[str, Rates]
    spread: float = 0.0
    ranks: int = 1
    yardstick: Mapping[str, float] = field(default_factory=dict)
    cache: Rates | None = None
    stores: Mapping[str, Rates] = field(default_factory=dict)
    polled: bool = False
    gpus: ProbedGpus | None = None
    gpus_left_out: str = OLDER

    def polling_cost(self, active: int) -> float:
        """How much faster than probed a backend is where so many ranks are all that run on a node.

        Where the probe's other ranks polled, they held back what it measured as if they had computed too: they ran on
        the second hardware threads of the same cores, or on the same budget of clock and power. What that costs is how
        much faster multiply-adds are among so few than among all; ranks that poll leave the vector units alone, and
        so do not slow those.
        """
        if not self.polled or self.multiply_add is None:
            return 1.0
        most = self.multiply_add.by_active[-1][0]
        return self.multiply_add.at(active) / self.multiply_add.at(most)

    def streamed(self, active: float) -> float:
        """The most bytes per second, read plus written, that so many ranks move through memory, by the best stores."""
        return max([self.memory.at(active), *(rates.at(active) for rates in self.stores.values())])

    def rates_of(self, backend: str) -> Rates:
        """The rates of a backend. Raises ForecastError if the probe does not have it."""
        if backend not in self.convolve:
            known = ", ".join(self.convolve)
            raise ForecastError(f"the probe has no rate of backend {backend}: it has {known}; probe again")
        return self.convolve[backend]

    def link(self, scope: str) -> ProbedLink | None:
        """The slowest link of a scope; None if none was measured."""
        return min(
            (link for link in self.links if link.scope == scope), key=lambda link: link.bytes_per_s, default=None
        )


def parse(document: Mapping[str, Any], name: str) -> Probe:
    """Parses a probe's document. Raises SchemaError, with `name` in the message."""
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
            memory=_copies([entry for node in nodes for entry in node["memory"]]),
            load=_undisturbed(_slowest([entry for node in nodes for entry in node["load"]], "bytes_per_s")),
            multiply_add=_undisturbed(_slowest(multiply_add, "flops_per_s")) if multiply_add else None,
            convolve={
                backend: _better([entry for node in nodes for entry in node["convolve"] if entry["backend"] == backend])
                for backend in sorted(backends)
            },
            spread=_spread(document),
            ranks=_ranks(document),
            yardstick=_yardstick(nodes),
            polled=document.get("waiting") != ASLEEP,
            cache=_cache([entry for node in nodes for entry in node.get("cache", ())]),
            stores={
                kind: _undisturbed(_slowest(entries, "bytes_per_s"), share=lambda active: 1.0 / active)
                for kind, entries in _by_stores([entry for node in nodes for entry in node.get("stores", ())]).items()
            },
            gpus=gpus.of_nodes(nodes),
            gpus_left_out=next((str(node["gpus_left_out"]) for node in nodes if "gpus_left_out" in node), OLDER),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SchemaError(f"{name} is not a probe ({error}): make another with 'fab probe'") from error


def _yardstick(nodes: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The yardstick of the slowest node, by backend."""
    found: dict[str, float] = {}
    for entry in (entry for node in nodes for entry in node.get("yardstick", ())):
        backend = str(entry["backend"])
        found[backend] = min(found.get(backend, math.inf), positive(entry["flops_per_s"]))
    return found


def _ranks(document: Mapping[str, Any]) -> int:
    ranks = document["ranks"]
    if isinstance(ranks, bool) or not isinstance(ranks, int) or ranks < 1:
        raise ValueError(f"{ranks!r} ranks")
    return ranks


def _link(document: Mapping[str, Any]) -> ProbedLink:
    if document["scope"] not in (WITHIN, BETWEEN):
        raise ValueError(f"a link is {document['scope']!r}")
    messages = sorted((int(item["bytes"]), positive(item["one_way_s"])) for item in document["messages"])
    if not messages:
        raise ValueError("a link has no message")
    return ProbedLink(document["scope"], tuple(messages))


def _copies(entries: Sequence[Mapping[str, Any]]) -> Copies:
    sizes = sorted({int(positive(entry["copy_bytes"])) for entry in entries})
    rates = {
        size: _undisturbed(
            _slowest([entry for entry in entries if entry["copy_bytes"] == size], "bytes_per_s"),
            share=lambda active: 1.0 / active,
        )
        for size in sizes
    }
    if not rates:
        raise ValueError("no memory")
    return Copies(tuple(rates.items()))


def _by_stores(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The entries of each kind of stores; older probes have ordinary ones, and do not say so."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        found.setdefault(str(entry.get("stores", ORDINARY)), []).append(entry)
    return found


def _better(entries: Sequence[Mapping[str, Any]]) -> Rates:
    """A backend's rate by the stores that are faster with so many ranks, since runs find these out."""
    kinds = [_slowest(each, "flops_per_s").by_active for each in _by_stores(entries).values()]
    rates = [dict(kind) for kind in kinds]
    common = set.intersection(*(set(each) for each in rates))
    return _undisturbed(Rates(tuple((active, max(each[active] for each in rates)) for active in sorted(common))))


def _cache(entries: Sequence[Mapping[str, Any]]) -> Rates | None:
    """The fastest of all sizes and nodes: what a cache gives at the most."""
    rates: dict[int, float] = {}
    for entry in entries:
        active = int(entry["active"])
        rates[active] = max(rates.get(active, 0.0), positive(entry["bytes_per_s"]))
    if rates and min(rates) < 1:
        raise ValueError("a copy by no rank")
    return Rates(tuple(sorted(rates.items()))) if rates else None


def _spread(document: Mapping[str, Any]) -> float:
    lists = [link["messages"] for link in document["links"]]
    lists += [node[kind] for node in document["nodes"] for kind in ("memory", "load", "multiply_add", "convolve")]
    found = [float(entry.get("spread", 0.0)) for entries in lists for entry in entries]
    if not all(map(math.isfinite, found)):
        raise ValueError("a spread is not a number")
    return statistics.median(found) if found else 0.0


def _slowest(entries: Sequence[Mapping[str, Any]], key: str) -> Rates:
    rates: dict[int, float] = {}
    for entry in entries:
        active = int(entry["active"])
        rates[active] = min(rates.get(active, math.inf), positive(entry[key]))
    if not rates or min(rates) < 1:
        raise ValueError(f"no {key}")
    return Rates(tuple(sorted(rates.items())))


def _undisturbed(rates: Rates, share: Callable[[int], float] = lambda _: 1.0) -> Rates:
    """The rates, corrected for disturbances. More active ranks slow each other down, so if a rank measured faster among
    more, something disturbed the measurement among fewer. `share`: one rank's share of a rate, by active ranks."""
    found: list[tuple[int, float]] = []
    best = 0.0
    for active, rate in reversed(rates.by_active):
        best = max(best, rate * share(active))
        found.append((active, best / share(active)))
    return Rates(tuple(reversed(found)))
