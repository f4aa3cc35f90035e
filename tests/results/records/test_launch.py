from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from results.records.launch import RecordedLaunch
from results.records.marks import (
    CLOCKS_DISAGREE,
    GPU_BESIDE,
    HELD_BACK,
    MEMORY_BOUND,
    MIXED,
    OVERSUBSCRIBED,
    PACKAGES,
    SHARED_GPU,
    SMT,
    STREAMED,
    SUSPECT,
)
from results.records.parse import parse
from workload.record.schema import SchemaError

Change = Callable[[dict[str, Any]], None]
SLOTS = {"node1": 4}


@pytest.fixture
def made(maker: Any) -> Callable[..., RecordedLaunch]:
    """Parses one made record after a change."""

    def make(change: Change | None = None, slots: dict[str, int] | None = None, **options: Any) -> RecordedLaunch:
        return parse(maker.add("s", change=change, **options), SLOTS if slots is None else slots)

    return make


def cpu(times: float, wall_s: float | None = None) -> Change:
    """Every rank's CPU time as a multiple of its wall time, which may be set."""

    def change(record: dict[str, Any]) -> None:
        for repeat in record["repeats"]:
            for rank in repeat["ranks"]:
                rank["app_s"] = wall_s if wall_s is not None else rank["app_s"]
                rank["cpu_s"] = times * rank["app_s"]

    return change


@pytest.mark.parametrize("speeds", [[0.0, 1e9], [1e9], [1e9, -1.0], ["fast", 1e9], 7, [1e9, 1e999], [1e9, 1e9, 1e9]])
def test_a_speed_that_is_none_is_refused(made: Callable[..., RecordedLaunch], speeds: Any) -> None:
    def change(record: dict[str, Any]) -> None:
        record["repeats"][0]["ranks"][0]["yardstick_flops_per_s"] = speeds

    with pytest.raises((SchemaError, ValueError)):
        made(change)


def test_a_record_without_a_yardstick_is_read(made: Callable[..., RecordedLaunch]) -> None:
    def change(record: dict[str, Any]) -> None:
        del record["repeats"][0]["ranks"][0]["yardstick_flops_per_s"]

    assert made(change).repeats[0].ranks[0].core_flops_per_s is None
    assert made(launch=1).repeats[0].ranks[0].core_flops_per_s == pytest.approx(1e9)


def test_an_honest_launch_counts_and_has_no_mark(made: Callable[..., RecordedLaunch]) -> None:
    found = made(ranks=4)
    assert found.marks == frozenset()
    assert found.counts
    assert found.median_s("forward_s") == sorted(repeat.forward_s for repeat in found.repeats)[1]
    assert len(found.repeats) == 3, "warm-ups are no repeats"


@pytest.mark.parametrize(
    ("change", "threads", "suspect"),
    [
        (cpu(1.09, 1.0), 1, False),
        (cpu(1.11, 1.0), 1, True),
        (cpu(1.9, 1.0), 2, False),
        (cpu(2.3, 1.0), 2, True),
        (cpu(5.0, 0.001), 1, False),  # 4 ms more: below the clock's granularity
        (cpu(25.0, 0.001), 1, True),
    ],
)
def test_too_much_cpu_time_is_suspect(
    made: Callable[..., RecordedLaunch], change: Change, threads: int, suspect: bool
) -> None:
    found = made(change, threads=threads)
    assert (SUSPECT in found.marks) is suspect
    assert found.counts is not suspect


def test_a_warm_up_may_use_any_cpu_time(made: Callable[..., RecordedLaunch]) -> None:
    def change(record: dict[str, Any]) -> None:
        record["warmup_repeats"][0]["ranks"][0]["cpu_s"] = 1e3

    assert made(change).counts


def test_a_replica_never_counts(made: Callable[..., RecordedLaunch]) -> None:
    assert not made(movement="replica").counts


def test_ranks_above_the_nodes_slots_are_oversubscribed(made: Callable[..., RecordedLaunch]) -> None:
    assert OVERSUBSCRIBED not in made(ranks=4).marks
    assert OVERSUBSCRIBED in made(ranks=5).marks
    assert OVERSUBSCRIBED in made(ranks=8, outcome="skipped").marks, "told from the plan where nothing was placed"
    assert OVERSUBSCRIBED not in made(ranks=6, slots={}).marks, "no inventory, no mark"


def test_more_ranks_than_cores_share_them(made: Callable[..., RecordedLaunch]) -> None:
    assert SMT not in made(ranks=8, slots={"node1": 16}).marks
    assert SMT in made(ranks=9, slots={"node1": 16}).marks

    def without_smt(record: dict[str, Any]) -> None:
        record["machines"][0]["threads"] = 8

    assert SMT not in made(without_smt, ranks=10, slots={"node1": 16}).marks


@pytest.mark.parametrize(("models", "marked"), [(("X", "Y"), True), (("X", "X"), False)])
def test_ranks_on_several_models_of_processor_are_marked(
    made: Callable[..., RecordedLaunch], models: tuple[str, str], marked: bool
) -> None:
    def spread(record: dict[str, Any]) -> None:
        (one,) = record["machines"]
        placed = one["rank_placement"]
        record["machines"] = [
            {**one, "node": f"node{n + 1}", "cpu_model": model, "rank_placement": placed[n::2]}
            for n, model in enumerate(models)
        ]

    found = made(spread, ranks=2)
    assert (MIXED in found.marks) is marked
    assert found.counts


def test_a_run_beside_a_package_manager_is_marked(made: Callable[..., RecordedLaunch]) -> None:
    assert PACKAGES not in made(lambda record: record["machines"][0].update(package_managers=[])).marks
    found = made(lambda record: record["machines"][0].update(package_managers=["dpkg"]), launch=1)
    assert PACKAGES in found.marks
    assert found.counts


def test_an_idle_node_of_another_model_marks_nothing(made: Callable[..., RecordedLaunch]) -> None:
    def add(record: dict[str, Any]) -> None:
        other = {**record["machines"][0], "node": "node2", "cpu_model": "Y", "rank_placement": []}
        record["machines"].append(other)

    assert MIXED not in made(add).marks


@pytest.mark.parametrize(("wtime_s", "marked"), [(10.05, False), (10.2, True), (9.8, True)])
def test_clocks_that_disagree_are_marked(made: Callable[..., RecordedLaunch], wtime_s: float, marked: bool) -> None:
    found = made(lambda record: record["clock_agreement"].update(wtime_s=wtime_s))
    assert (CLOCKS_DISAGREE in found.marks) is marked


def test_streamed_and_memory_bound_repeats_are_marked(made: Callable[..., RecordedLaunch]) -> None:
    found = made(lambda record: record["repeats"][1].update(streamed=True, memory_bound=True))
    assert {STREAMED, MEMORY_BOUND} <= found.marks
    assert found.streamed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda record: record.update(repeats=[]), "no timed repeat"),
        (lambda record: record["repeats"][0].update(forward_s=0.0), "took no time"),
        (lambda record: record["repeats"][0].update(total_s=-1.0), "is not a time"),
        (lambda record: record["repeats"][0].update(forward_s=float("nan")), "is not a time"),
        (lambda record: record["repeats"][0]["ranks"].pop(), "times of 1 ranks, but the run has 2"),
        (lambda record: record["repeats"][0]["ranks"][0]["phases_s"].update(load=float("inf")), "is not a time"),
        (lambda record: record["blocks"][0].update(batch=[0]), "values to unpack"),
        (lambda record: record["machines"][0].update(rank_placement=[7]), "subscriptable"),
        (lambda record: record.update(clock_agreement={"wtime_s": 1.0}), "monotonic_s"),
    ],
)
def test_values_that_cannot_be_are_refused_by_run(maker: Any, change: Change, words: str) -> None:
    record = maker.add("s", ranks=2)
    change(record)
    with pytest.raises(SchemaError, match=words) as refusal:
        parse(record, SLOTS)
    assert record["run_id"] in str(refusal.value)


@pytest.mark.parametrize(
    ("started", "ended", "wall_s"),
    [
        ("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:05.5+00:00", 5.5),
        ("2026-01-01T00:00:00", "2026-01-01T01:00:00+01:00", 0.0),  # without a zone it is UTC
        ("yesterday", "2026-01-01T00:00:05+00:00", None),
        (None, None, None),
    ],
)
def test_the_wall_time_of_a_launch(
    made: Callable[..., RecordedLaunch], started: str | None, ended: str | None, wall_s: float | None
) -> None:
    assert made(lambda record: record.update(started_utc=started, ended_utc=ended)).wall_s == wall_s


def on_gpus(*uuids: str) -> Change:
    """What a run on GPUs adds, and does without."""

    def change(record: dict[str, Any]) -> None:
        record["devices"] = [{"rank": rank, "uuid": uuid} for rank, uuid in enumerate(uuids)]
        for repeat in record["repeats"]:
            for rank in repeat["ranks"]:
                del rank["yardstick_flops_per_s"]
                rank["device_s"] = {"distribute": 0.1, "convolve": 0.2, "collect": 0.3, "total": 0.5}

    return change


def test_ranks_that_share_a_gpu_are_marked(made: Callable[..., RecordedLaunch]) -> None:
    gpu = {"ranks": 2, "movement": "device", "backend": "cuda"}
    shared = made(on_gpus("a", "a"), **gpu)
    assert SHARED_GPU in shared.marks
    assert shared.repeats[0].ranks[1].device_s == {"distribute": 0.1, "convolve": 0.2, "collect": 0.3, "total": 0.5}
    assert SHARED_GPU not in made(on_gpus("a", "b"), launch=1, **gpu).marks
    assert made(ranks=2).repeats[0].ranks[0].device_s is None


@pytest.mark.parametrize("value", [-1.0, "long", None, {}])
def test_seconds_of_a_device_that_are_none_are_refused(made: Callable[..., RecordedLaunch], value: Any) -> None:
    def change(record: dict[str, Any]) -> None:
        on_gpus("a")(record)
        record["repeats"][0]["ranks"][0]["device_s"]["total"] = value

    with pytest.raises(SchemaError):
        made(change, movement="device", backend="cuda")


@pytest.mark.parametrize(
    ("said", "marks"),
    [
        ({"other_processes": 0, "held_back_by_power_s": 0.1, "held_back_by_heat_s": 0.0}, set()),
        ({"other_processes": 2}, {GPU_BESIDE}),
        ({"other_processes": None, "held_back_by_power_s": None, "held_back_by_heat_s": None}, set()),
        ({"held_back_by_power_s": 0.2}, {HELD_BACK}),
        ({"held_back_by_heat_s": 0.2}, {HELD_BACK}),
    ],
)
def test_what_disturbed_a_gpu_that_was_used_is_marked(
    made: Callable[..., RecordedLaunch], said: dict[str, Any], marks: set[str]
) -> None:
    def change(record: dict[str, Any]) -> None:
        on_gpus("a")(record)
        unused = {"uuid": "b", "other_processes": 7, "held_back_by_heat_s": 7.0}
        record["machines"][0]["gpus"] = [{"uuid": "a", **said}, unused]
        record["clock_agreement"] = {"wtime_s": 12.0, "monotonic_s": 12.0}

    assert made(change, movement="device", backend="cuda").marks & {GPU_BESIDE, HELD_BACK} == marks
