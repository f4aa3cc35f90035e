"""The figures of a probe as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from results.forecast.convolution import probe
from results.forecast.convolution.probe import Probe, ProbedLink
from results.formats import mib, number, plural
from results.records.gpus import GpuLimits, ProbedGpus
from results.scaling.disturbance import LOAD_BEYOND
from results.table import Column, Table, build, plain, shown

GIGA, TERA, MICRO = 1e9, 1e12, 1e-6


def tables(document: Mapping[str, Any]) -> list[Table]:
    """Links, then rates by the number of active ranks. Raises SchemaError if the document is not a probe."""
    found = probe.parse(document, "the probe")
    notes = [
        f"Measured {found.measured_utc} on cluster {found.cluster}; of several nodes the slowest. Medians of rounds "
        f"that spread by {found.spread:.0%} (quartiles' distance over median, in the median): no forecast can be much "
        "closer than that."
    ]
    links, on_gpus = [_links(found)] if found.links else [], [_gpus(found.gpus)] if found.gpus else []
    return [*links, *on_gpus, _rates(found, [*notes, *_disturbed(document)])]


def _disturbed(document: Mapping[str, Any]) -> Iterator[str]:
    """Lines on a sweep that was at work meanwhile, and on nodes with more active processes than the probe's ranks."""
    if document.get("beside"):
        yield f"Measured beside a sweep: {document['beside']}. Probe again when it is over."
    for node in document["nodes"]:
        machine = node.get("machine")
        load = machine.get("load_1m") if isinstance(machine, Mapping) else None
        ranks = node.get("ranks")
        if isinstance(load, (int, float)) and isinstance(ranks, int) and load > ranks + LOAD_BEYOND:
            yield (
                f"Other work was on {machine.get('node', 'a node')}: a load of {load:.1f} with {plural(ranks, 'rank')} "
                "of ours. These are the figures of a disturbed machine: probe again when it is idle."
            )


def _links(found: Probe) -> Table:
    columns: list[Column[ProbedLink]] = [
        plain("Ranks' nodes", "scope", lambda link: "the same" if link.scope == probe.WITHIN else "different"),
        shown("Latency (us)", "latency_s", lambda link: link.latency_s, lambda value: number(1e6 * value, 3)),
        shown(
            "Bandwidth (GB/s)",
            "bytes_per_s",
            lambda link: link.bytes_per_s,
            lambda value: number(value / GIGA, 3),
        ),
    ]
    return build("Links", columns, found.links, name="probe-links")


def _gpus(found: ProbedGpus) -> Table:
    def rate(header: str, key: str, unit: float) -> Column[GpuLimits]:
        return shown(header, key, lambda limits: getattr(limits, key), lambda value: number(value / unit, 3))

    columns: list[Column[GpuLimits]] = [
        plain("GPUs of a node at work", "active", lambda limits: limits.active),
        rate("To it (GB/s)", "to_device_bytes_per_s", GIGA),
        rate("Back (GB/s)", "to_host_bytes_per_s", GIGA),
        rate("Both at once (GB/s)", "both_bytes_per_s", GIGA),
        rate("Copies in its memory (GB/s)", "copy_bytes_per_s", GIGA),
        rate("Multiply-adds (TFLOP/s)", "flops_per_s", TERA),
        rate("Launch (us)", "launch_s", MICRO),
    ]
    notes = [f"Each figure is of one GPU; a node has {found.count}."]
    return build("GPUs", columns, found.by_active, name="probe-gpus", notes=notes)


def _rates(found: Probe, notes: list[str]) -> Table:
    rows = [
        (f"copies of {mib(size)} MiB, all ranks", "GB/s", active, rate)
        for size, rates in found.memory.by_size
        for active, rate in rates.by_active
    ]
    rows += [
        (f"copies by {kind} stores, all ranks", "GB/s", active, rate)
        for kind, rates in found.stores.items()
        for active, rate in rates.by_active
    ]
    if found.cache is not None:
        rows += [("copies within the caches, all ranks", "GB/s", *each) for each in found.cache.by_active]
    rows += [("load of x, a rank", "GB/s", *each) for each in found.load.by_active]
    if found.multiply_add is not None:
        rows += [("multiply-adds, a rank", "GFLOP/s", *each) for each in found.multiply_add.by_active]
    for name, rates in found.convolve.items():
        rows += [(f"convolution with {name}, a rank", "GFLOP/s", *each) for each in rates.by_active]
    columns: list[Column[tuple[str, str, int, float]]] = [
        plain("What", "what", lambda row: row[0]),
        plain("Ranks of a node at work", "active", lambda row: row[2]),
        Column("Rate", lambda row: f"{number(row[3] / GIGA, 3)} {row[1]}", lambda row: {"rate": row[3]}),
    ]
    return build("Rates", columns, rows, name="probe-rates", notes=notes)
