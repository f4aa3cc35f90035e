"""The convolution as results see it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from results.records.convolution import variant_of
from results.records.kinds import CONVOLUTION, KINDS, experiment_of
from results.records.parse import parse
from workload.record.run import Workload
from workload.record.schema import SchemaError


def test_lines_differ_by_movement_backend_and_threads_alone(maker: Any) -> None:
    key = CONVOLUTION.variant(maker.run()).key
    assert CONVOLUTION.variant(maker.run(ranks=4, batch=8, launch=2)).key == key
    for change in ({"movement": "serial"}, {"backend": "naive"}, {"threads": 2}, {"weights": "edges"}):
        assert CONVOLUTION.variant(maker.run(**change)).key != key


def test_a_variant_has_its_options_where_they_are_asked_for() -> None:
    found = variant_of("pipeline", "simd", {"group_ranks": 2, "chunk_bytes": 48})
    assert (found.label, found.phrase) == ("pipeline, simd", "pipeline with simd")
    assert found.full_label == "pipeline (chunk_bytes 48, group_ranks 2), simd"
    assert variant_of("tree", "simd", {}).full_label == "tree, simd"
    switched = variant_of("scatter-gather", "simd", {"in_place": True})
    assert (switched.phrase, switched.full_label) == (
        "scatter-gather in place with simd",
        "scatter-gather (in_place), simd",
    )


def test_families_differ_in_all_but_the_batch(maker: Any) -> None:
    one, other = maker.run(batch=8), maker.run(batch=16)
    assert CONVOLUTION.problem(one) != CONVOLUTION.problem(other)
    assert CONVOLUTION.family(one) == CONVOLUTION.family(other)
    assert CONVOLUTION.family(replace(one, problem=replace(one.problem, height=32))) != CONVOLUTION.family(one)


def test_only_the_replica_enters_no_speedup(maker: Any) -> None:
    assert CONVOLUTION.why_uncounted(maker.run(movement="replica")) == "replica computes something else"
    assert not CONVOLUTION.why_uncounted(maker.run())
    assert CONVOLUTION.is_serial(maker.run(movement="serial"))


def test_a_record_of_another_kind_is_refused_by_name(maker: Any) -> None:
    record = maker.add("s")
    record["run"]["workload"]["kind"] = "heat"
    with pytest.raises(SchemaError, match="kind 'heat' is unknown: this convscale reads convolution"):
        parse(record, {})
    assert experiment_of(maker.run(workload=Workload("convolution", "d" * 64))) is KINDS["convolution"]
