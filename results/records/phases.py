"""What a convolution's record holds: repeats with the phases of each rank, memory, blocks, the check and the clocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from results.records.measurement import (
    AnswerCheck,
    FoundStores,
    Measured,
    RankBlock,
    RankMemory,
    RankRepeat,
    Repeat,
    seconds,
)
from workload.domain.grid import AXES
from workload.record.schema import DEVICE_PARTS, MEASUREMENT_SHAPE, PHASES, SchemaError, check_shape

LARGEST_INDEX = 2**62


def phases_of(record: Mapping[str, Any]) -> Measured:
    """The measurement of a record. Raises KeyError, TypeError, ValueError, SchemaError for what cannot be read."""
    return Measured(
        repeats=tuple(map(_repeat, record["repeats"])),
        warmups=tuple(map(_repeat, record["warmup_repeats"])),
        memory=tuple(map(_memory, record["memory"])),
        blocks=tuple(map(_block, record["blocks"])),
        check=_check(record["check"]),
        clocks_s=_clocks_s(record["clock_agreement"]),
        stores=_stores(record["stores"]) if "stores" in record else None,
        gpus=tuple(str(each["uuid"]) for each in record.get("devices", ())),
    )


def _stores(item: Mapping[str, Any]) -> FoundStores:
    times = {str(kind): seconds(item["convolve_s"], kind) for kind in item["convolve_s"]}
    if times and item["taken"] not in times:
        raise SchemaError(f"stores were taken that were not tried: {item['taken']}")
    return FoundStores(str(item["taken"]), times)


def _memory(item: Mapping[str, Any]) -> RankMemory:
    return RankMemory(item["rank"], item["peak_rss_bytes"], item["pss_bytes"], item["baseline_rss_bytes"])


def _repeat(item: Mapping[str, Any]) -> Repeat:
    return Repeat(
        seconds(item, "total_s"),
        seconds(item, "forward_s"),
        seconds(item, "convolve_s"),
        item["streamed"],
        item["memory_bound"],
        tuple(_rank_times(rank) for rank in item["ranks"]),
    )


def _rank_times(item: Mapping[str, Any]) -> RankRepeat:
    parts = {phase: seconds(item["phases_s"], phase) for phase in PHASES}
    parts["wait"] = seconds(item, "wait_s")
    return RankRepeat(
        item["rank"],
        parts,
        seconds(item, "app_s"),
        seconds(item, "mpi_s"),
        seconds(item, "cpu_s"),
        seconds(item, "convolve_cpu_s"),
        _yardstick(item.get("yardstick_flops_per_s")),
        device_s=_device_s(item.get("device_s")),
    )


def _yardstick(values: Any) -> tuple[float, float] | None:
    if values is None:
        return None
    before, after = map(float, values)
    if not 0.0 < min(before, after) <= max(before, after) < math.inf:
        raise SchemaError(f"yardstick_flops_per_s = {values} is not a speed")
    return before, after


def _device_s(item: Any) -> Mapping[str, float] | None:
    return None if item is None else {part: seconds(item, part) for part in DEVICE_PARTS}


def _block(item: Mapping[str, Any]) -> RankBlock:
    spans = {}
    for axis in AXES:
        if axis in item:
            start, stop = item[axis]
            if not 0 <= start <= stop <= LARGEST_INDEX:
                raise SchemaError(f"{axis} = {item[axis]} is no range of indices")
            spans[axis] = (int(start), int(stop))
    return RankBlock(item["rank"], spans, item["output_elements"])


def _check(item: Mapping[str, Any]) -> AnswerCheck | None:
    """The check's result; None if the run did not get to it."""
    if not item:
        return None
    check_shape(item, MEASUREMENT_SHAPE["check"], "check")
    return AnswerCheck(**{name: item[name] for name in AnswerCheck.__dataclass_fields__})


def _clocks_s(item: Mapping[str, Any]) -> tuple[float, float] | None:
    """The run's duration by MPI's and the system's clock; None if it did not get that far."""
    return (seconds(item, "wtime_s"), seconds(item, "monotonic_s")) if item else None
