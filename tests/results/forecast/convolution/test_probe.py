from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.forecast.convolution import probe
from results.forecast.convolution.probe import Rates
from results.tables.sweep.probe import tables
from tests.results.records.test_gpus import figures
from workload.record.schema import SCHEMA_VERSION, SchemaError


def node(scale: float = 1.0) -> dict[str, Any]:
    return {
        "ranks": 4,
        "machine": {},
        "memory": [
            {"active": active, "copy_bytes": size, "bytes_per_s": scale * rate * active**0.5, "spread": 0.2}
            for active in (1, 2, 4)
            for size, rate in ((2**26, 1e10), (2**28, 3e10))
        ],
        "load": [{"active": active, "bytes_per_s": scale * 4e9, "spread": 0.1} for active in (1, 4)],
        "multiply_add": [{"active": active, "flops_per_s": scale * 1e11} for active in (1, 4)],
        "convolve": [{"backend": "simd", "active": active, "flops_per_s": scale * 5e10} for active in (1, 4)],
    }


def link(scope: str, rank: int, small_s: float, large_s: float) -> dict[str, Any]:
    messages = [{"bytes": 8, "one_way_s": small_s}, {"bytes": 1000, "one_way_s": large_s}]
    return {"scope": scope, "ranks": [0, rank], "messages": messages}


DOCUMENT: dict[str, Any] = {
    "schema_version": SCHEMA_VERSION,
    "kind": "probe",
    "cluster": "c",
    "ranks": 8,
    "measured_utc": "2026-01-01T00:00:00+00:00",
    "links": [
        link("within", 1, 1e-6, 1e-5),
        link("between", 4, 5e-5, 1e-3),
        link("between", 6, 5e-5, 2e-3),
    ],
    "nodes": [node(), node(0.5)],
}  # fmt: skip


def test_of_copies_within_the_caches_the_fastest_count_and_an_older_probe_has_none() -> None:
    assert probe.parse(DOCUMENT, "p").cache is None
    document = copy.deepcopy(DOCUMENT)
    for each, scale in zip(document["nodes"], (1.0, 0.5), strict=True):
        each["cache"] = [
            {"active": active, "copy_bytes": size, "bytes_per_s": scale * rate * active}
            for active in (1, 4)
            for size, rate in ((2**17, 8e10), (2**19, 6e10))
        ]
    assert probe.parse(document, "p").cache == Rates(((1, 8e10), (4, 32e10)))
    assert "copies within the caches, all ranks" in [row[0] for row in tables(document)[1].rows]
    for wrong in (0, -1.0, "fast", float("nan")):
        document["nodes"][0]["cache"][0]["bytes_per_s"] = wrong
        with pytest.raises(SchemaError, match="p is not a probe"):
            probe.parse(document, "p")


def test_of_two_kinds_of_stores_the_better_is_the_limit_and_an_older_probe_has_none() -> None:
    older = probe.parse(DOCUMENT, "p")
    assert older.stores == {}
    assert older.streamed(4) == older.memory.at(4)
    document = copy.deepcopy(DOCUMENT)
    for each, scale in zip(document["nodes"], (1.0, 0.5), strict=True):
        each["stores"] = [
            {"stores": kind, "active": active, "copy_bytes": 2**26, "bytes_per_s": scale * rate * active}
            for active in (1, 4)
            for kind, rate in (("ordinary", 1e9), ("non-temporal", 1e11))
        ]
        each["convolve"] += [
            {"backend": "simd", "stores": "non-temporal", "active": 1, "flops_per_s": scale * 4e10},
            {"backend": "simd", "stores": "non-temporal", "active": 4, "flops_per_s": scale * 6e10},
        ]
    found = probe.parse(document, "p")
    assert found.stores["non-temporal"] == Rates(((1, 5e10), (4, 20e10)))  # of the slower node
    assert found.streamed(4) == 20e10
    assert found.rates_of("simd").at(4) == 3e10
    assert found.rates_of("simd").at(1) == 3e10  # a rank alone is not slower
    assert "copies by non-temporal stores, all ranks" in [row[0] for row in tables(document)[1].rows]
    document["nodes"][0]["stores"][0]["bytes_per_s"] = 0
    with pytest.raises(SchemaError, match="p is not a probe"):
        probe.parse(document, "p")


def test_gpus_count_where_every_node_has_them_and_an_older_probe_has_none() -> None:
    older = probe.parse(DOCUMENT, "p")
    assert (older.gpus, older.gpus_left_out) == (None, probe.OLDER)
    document = copy.deepcopy(DOCUMENT)
    document["nodes"][0]["gpus"] = figures()
    document["nodes"][1]["gpus_left_out"] = "no NVIDIA driver"
    some = probe.parse(document, "p")
    assert (some.gpus, some.gpus_left_out) == (None, "no NVIDIA driver")
    assert [table.title for table in tables(document)] == ["Links", "Rates"]
    document["nodes"][1]["gpus"] = figures(0.5)
    found = probe.parse(document, "p").gpus
    assert found is not None
    assert (found.count, found.at(2).copy_bytes_per_s) == (2, 2.5e11)
    _, on_gpus, _ = tables(document)
    assert on_gpus.title == "GPUs"
    assert on_gpus.rows[0][1:] == ("10.0", "5.00", "9.00", "500", "25.0", "20.0")


@pytest.mark.parametrize(
    "change",
    [
        lambda gpus: gpus.update(count=0),
        lambda gpus: gpus.pop("both"),
        lambda gpus: gpus.update(to_host=[]),
        lambda gpus: gpus["copy"][0].update(bytes_per_s=0.0),
        lambda gpus: gpus["copy"].clear(),
        lambda gpus: gpus["launch"][1].update(launch_s="quick"),
        lambda gpus: gpus["multiply_add"][0].pop("active"),
    ],
)
def test_wrong_figures_of_a_gpu_are_refused(change: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    for each in document["nodes"]:
        each["gpus"] = figures()
    change(document["nodes"][1]["gpus"])
    with pytest.raises(SchemaError, match="p is not a probe"):
        probe.parse(document, "p")


def test_of_several_nodes_and_links_the_slowest_counts() -> None:
    found = probe.parse(DOCUMENT, "p")
    assert found.memory.at(1) == pytest.approx(0.5e10)
    assert found.memory.at(4) == pytest.approx(1e10)
    assert found.memory.most_active == 4
    assert found.load.at(4) == pytest.approx(2e9)
    assert found.spread == pytest.approx(0.1), "the median of 12 of 0.2, 4 of 0.1, and 14 that say none"
    assert found.convolve["simd"].at(4) == pytest.approx(2.5e10)
    between = found.link(probe.BETWEEN)
    assert between is not None
    assert between.bytes_per_s == pytest.approx(5e5)
    assert between.latency_s == 5e-5
    within = found.link(probe.WITHIN)
    assert within is not None
    assert within.bytes_per_s == pytest.approx(1e8)
    assert probe.parse({**DOCUMENT, "links": []}, "p").link(probe.WITHIN) is None


def test_between_measured_counts_a_rate_lies_between_theirs() -> None:
    rates = Rates(((1, 4.0), (4, 16.0)))
    assert rates.at(2) == pytest.approx(8.0)
    assert (rates.at(1), rates.at(4), rates.at(100)) == (4.0, 16.0, 16.0)


def test_a_rank_alone_is_not_slower_than_in_company() -> None:
    """Other work on a core for some seconds of a probe made every forecast of one rank too long by three quarters."""

    def disturbed(document: dict[str, Any]) -> None:
        for each in document["nodes"]:
            each["convolve"] = [
                {"backend": "simd", "active": active, "flops_per_s": rate}
                for active, rate in ((1, 3.0), (2, 5.0), (4, 4.0))
            ]
            each["memory"] = [
                {"active": active, "copy_bytes": 2**26, "bytes_per_s": rate}
                for active, rate in ((1, 4.0), (2, 10.0), (4, 12.0))
            ]

    found = probe.parse(broken(disturbed), "p")
    assert [found.convolve["simd"].at(active) for active in (1, 2, 4)] == [5.0, 5.0, 4.0]
    assert [found.memory.at(active) for active in (1, 2, 4)] == [5.0, 10.0, 12.0]


def test_the_yardstick_is_the_slowest_nodes_and_an_older_probe_has_none() -> None:
    def told(document: dict[str, Any]) -> None:
        for speed, each in enumerate(document["nodes"], 2):
            each["yardstick"] = [{"backend": "simd", "flops_per_s": 1e9 * speed}]

    assert probe.parse(broken(told), "p").yardstick == {"simd": 2e9}
    assert probe.parse(DOCUMENT, "p").yardstick == {}


@given(st.dictionaries(st.integers(1, 64), st.floats(1.0, 1e12), min_size=1), st.integers(1, 128))
def test_no_rate_lies_outside_what_was_measured(measured: dict[int, float], active: int) -> None:
    rate = Rates(tuple(sorted(measured.items()))).at(active)
    assert min(measured.values()) * (1 - 1e-9) <= rate <= max(measured.values()) * (1 + 1e-9)
    if active in measured:
        assert rate == pytest.approx(measured[active])


def broken(change: Any) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return document


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(kind="record"),
        lambda document: document.pop("nodes"),
        lambda document: document.update(nodes=[]),
        lambda document: document["nodes"][0]["memory"][0].update(bytes_per_s=-1.0),
        lambda document: document["nodes"][0]["memory"][0].update(active=0),
        lambda document: document["nodes"][0]["memory"][0].update(copy_bytes=0),
        lambda document: document["nodes"][0]["memory"][0].update(spread=float("nan")),
        lambda document: [each.update(memory=[]) for each in document["nodes"]],
        lambda document: document["nodes"][0].pop("load"),
        lambda document: document["nodes"][0].update(yardstick=[{"backend": "simd", "flops_per_s": 0.0}]),
        lambda document: document.pop("ranks"),
        lambda document: document.update(ranks="8"),
        lambda document: document["links"][0].update(scope="far"),
        lambda document: document["links"][0].update(messages=[]),
        lambda document: document.update(schema_version=99),
    ],
)
def test_what_is_no_probe_is_refused(change: Any) -> None:
    with pytest.raises(SchemaError) as refusal:
        probe.parse(broken(change), "probe.json")
    assert "probe.json" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_tables_have_every_link_and_rate() -> None:
    links, rates = tables(DOCUMENT)
    assert [row[0] for row in links.rows] == ["the same", "different", "different"]
    assert len(rates.rows) == 2 * 3 + 2 + 2 + 2
    assert any("50.0 GFLOP/s" in row or "25.0 GFLOP/s" in row for row in rates.rows)
    assert "cluster c" in rates.notes[0]


def test_a_copy_has_the_rate_of_the_nearest_size_that_was_measured() -> None:
    memory = probe.parse(DOCUMENT, "p").memory
    for size, rate in ((1, 0.5e10), (2**26, 0.5e10), (1.9 * 2**26, 0.5e10), (2.1 * 2**26, 1.5e10), (2**40, 1.5e10)):
        assert memory.at(1, size) == pytest.approx(rate)
    assert memory.at(1, 0.0) == memory.at(1) == pytest.approx(0.5e10)


def test_a_messages_time_lies_between_those_of_the_measured_sizes() -> None:
    found = probe.parse(DOCUMENT, "p").link(probe.WITHIN)
    assert found is not None
    assert found.seconds(1) == found.seconds(8) == 1e-6
    assert 1e-6 < found.seconds(100) < 1e-5
    assert found.seconds(1000) == pytest.approx(1e-5)
    assert found.seconds(10**6) == pytest.approx(1e-2)


@pytest.mark.parametrize(("load", "told"), [(5.1, True), (4.9, False), (None, False), ("busy", False)])
def test_other_work_beside_the_probe_is_told(load: object, told: bool) -> None:
    busy = node() | {"machine": {"node": "vm", "load_1m": load}}
    notes = tables({**DOCUMENT, "nodes": [busy]})[-1].notes
    assert [note.startswith("Other work was on vm: a load of") for note in notes[1:]] == [True] * told
