"""Makes a launch from a record. Records may come from machines that are not trusted, so values are validated."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from results.records.kinds import experiment_of
from results.records.launch import RecordedLaunch
from results.records.marks import marks_of
from results.records.measurement import (
    AnswerCheck,
    Machine,
    MpiCall,
    RankBlock,
    RankMemory,
    RankRepeat,
    Repeat,
)
from results.records.program import memory_of, repeat_of
from workload.domain.grid import AXES
from workload.record.kinds import kind_of
from workload.record.outcomes import OK
from workload.record.program import ProgramRun
from workload.record.run import Run
from workload.record.schema import MEASUREMENT_SHAPE, PHASES, SchemaError, check_shape

LARGEST_INDEX = 2**62
SHORTEST_S, LONGEST_S = 1e-9, 1e9  # a clock's resolution, and thirty years: measurements lie between them


def parse(record: Mapping[str, Any], slots: Mapping[str, int]) -> RecordedLaunch:
    """Makes the launch of a record that `read_record` accepts.

    `slots`: of each node, by each of its names; empty without an inventory.

    Raises:
        SchemaError: a value is missing, not finite, or negative, or an ok record lacks its times.
    """
    try:
        return _parse(record, slots)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise SchemaError(f"{record['run_id']}: {error}") from error


def _parse(record: Mapping[str, Any], slots: Mapping[str, int]) -> RecordedLaunch:
    run: Any = kind_of(record, record["run_id"]).read_run(record["run"])
    experiment_of(run)  # raises SchemaError for an unknown kind
    own = isinstance(run, ProgramRun)
    repeats = repeat_of(record, run) if own else tuple(_repeat(item) for item in record["repeats"])
    machines = tuple(_machine(item) for item in record["machines"])
    clocks_s = None if own else _clocks_s(record["clock_agreement"])
    if record["outcome"] == OK:
        _check_times(run, repeats)
    return RecordedLaunch(
        run=run,
        run_id=record["run_id"],
        series=tuple(record["series"]),
        sequence=record["sequence"],
        attempt=record["attempt"],
        outcome=record["outcome"],
        reason=record["reason"],
        exit_status=record["exit_status"],
        started_utc=record["started_utc"],
        ended_utc=record["ended_utc"],
        log_tail=record["log_tail"],
        warmups=() if own else tuple(_repeat(item) for item in record["warmup_repeats"]),
        repeats=repeats,
        memory=memory_of(record) if own else tuple(map(_memory, record["memory"])),
        blocks=() if own else tuple(_block(item) for item in record["blocks"]),
        mpi_calls=tuple(
            MpiCall(item["rank"], item["call"], item["count"], item["bytes"], _seconds(item, "time_s"))
            for item in record["mpi_calls"]
        ),
        check=None if own else _check(record["check"]),
        machines=machines,
        clocks_s=clocks_s,
        evidence=record["evidence"],
        marks=frozenset(marks_of(run, repeats, machines, clocks_s, slots)),
        measured=record if own else {},
    )


def _memory(item: Mapping[str, Any]) -> RankMemory:
    return RankMemory(item["rank"], item["peak_rss_bytes"], item["pss_bytes"], item["baseline_rss_bytes"])


def _check_times(run: Run, repeats: Collection[Repeat]) -> None:
    if not repeats:
        raise SchemaError("outcome is ok, but it has no timed repeat")
    for repeat in repeats:
        if len(repeat.ranks) != run.ranks:
            raise SchemaError(f"a repeat has the times of {len(repeat.ranks)} ranks, but the run has {run.ranks}")
        if min(repeat.total_s, repeat.forward_s, repeat.convolve_s) < SHORTEST_S:
            raise SchemaError("outcome is ok, but a repeat took no time")


def _repeat(item: Mapping[str, Any]) -> Repeat:
    return Repeat(
        _seconds(item, "total_s"),
        _seconds(item, "forward_s"),
        _seconds(item, "convolve_s"),
        item["streamed"],
        item["memory_bound"],
        tuple(_rank_times(rank) for rank in item["ranks"]),
    )


def _rank_times(item: Mapping[str, Any]) -> RankRepeat:
    parts = {phase: _seconds(item["phases_s"], phase) for phase in PHASES}
    parts["wait"] = _seconds(item, "wait_s")
    return RankRepeat(
        item["rank"],
        parts,
        _seconds(item, "app_s"),
        _seconds(item, "mpi_s"),
        _seconds(item, "cpu_s"),
        _seconds(item, "convolve_cpu_s"),
        _yardstick(item.get("yardstick_flops_per_s")),
    )


def _yardstick(values: Any) -> tuple[float, float] | None:
    if values is None:
        return None
    before, after = map(float, values)
    if not 0.0 < min(before, after) <= max(before, after) < math.inf:
        raise SchemaError(f"yardstick_flops_per_s = {values} is not a speed")
    return before, after


def _seconds(item: Mapping[str, Any], key: str) -> float:
    value = float(item[key])
    if not 0.0 <= value <= LONGEST_S:
        raise SchemaError(f"{key} = {value} is not a time in seconds")
    return value


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


def _machine(item: Mapping[str, Any]) -> Machine:
    placement = tuple(
        (int(entry["rank"]), entry.get("core"), entry.get("hwthread")) for entry in item["rank_placement"]
    )
    details = {key: value for key, value in item.items() if key != "rank_placement"}
    return Machine(item["node"], item["boot_id"], details, placement)


def _clocks_s(item: Mapping[str, Any]) -> tuple[float, float] | None:
    """The run's duration by MPI's and the system's clock; None if it did not get that far."""
    return (_seconds(item, "wtime_s"), _seconds(item, "monotonic_s")) if item else None
