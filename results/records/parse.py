"""Makes a launch from a record. Records may come from machines that are not trusted, so values are validated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from results.records.kinds import experiment_of
from results.records.launch import RecordedLaunch
from results.records.marks import marks_of
from results.records.measurement import SHORTEST_S, Machine, MpiCall, Repeat, seconds
from workload.record.kinds import RecordedRun, kind_of
from workload.record.outcomes import OK
from workload.record.schema import SchemaError


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
    run = kind_of(record, record["run_id"]).read_run(record["run"])
    measured = experiment_of(run).measured(record, run)  # raises SchemaError for an unknown kind
    machines = tuple(_machine(item) for item in record["machines"])
    if record["outcome"] == OK:
        _check_times(run, measured.repeats)
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
        warmups=measured.warmups,
        repeats=measured.repeats,
        memory=measured.memory,
        blocks=measured.blocks,
        mpi_calls=tuple(
            MpiCall(item["rank"], item["call"], item["count"], item["bytes"], seconds(item, "time_s"))
            for item in record["mpi_calls"]
        ),
        check=measured.check,
        machines=machines,
        clocks_s=measured.clocks_s,
        evidence=record["evidence"],
        marks=frozenset(marks_of(run, measured.repeats, machines, measured.clocks_s, slots, measured.gpus)),
        stores=measured.stores,
        gpus=measured.gpus,
        measured=measured.document,
    )


def _check_times(run: RecordedRun, repeats: Collection[Repeat]) -> None:
    if not repeats:
        raise SchemaError("outcome is ok, but it has no timed repeat")
    for repeat in repeats:
        if len(repeat.ranks) != run.ranks:
            raise SchemaError(f"a repeat has the times of {len(repeat.ranks)} ranks, but the run has {run.ranks}")
        if min(repeat.total_s, repeat.forward_s, repeat.convolve_s) < SHORTEST_S:
            raise SchemaError("outcome is ok, but a repeat took no time")


def _machine(item: Mapping[str, Any]) -> Machine:
    placement = tuple(
        (int(entry["rank"]), entry.get("core"), entry.get("hwthread")) for entry in item["rank_placement"]
    )
    details = {key: value for key, value in item.items() if key != "rank_placement"}
    return Machine(item["node"], item["boot_id"], details, placement)
