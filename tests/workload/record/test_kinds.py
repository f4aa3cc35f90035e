"""Records of every kind: which version each has, and what a record of none is told."""

from pathlib import Path
from typing import Any

import pytest

from workload.record.files import write_json
from workload.record.kinds import KINDS, kind_of, read_record
from workload.record.schema import SchemaError


def test_the_convolution_has_version_1_and_every_other_kind_version_2() -> None:
    assert {name: kind.version for name, kind in KINDS.items()} == dict.fromkeys(KINDS, 2) | {"convolution": 1}


@pytest.mark.parametrize("name", KINDS)
def test_the_measured_keys_of_an_unmeasured_run_are_empty(name: str) -> None:
    unmeasured = KINDS[name].unmeasured()
    assert unmeasured
    assert not any(unmeasured.values())


@pytest.mark.parametrize("kind", ["raytracer", 7, None, []])
def test_a_kind_that_nobody_knows_is_named(kind: Any, tmp_path: Path) -> None:
    path = tmp_path / "0123456789abcdef.json"
    write_json(path, {"schema_version": 2, "run": {"workload": {"kind": kind}}})
    with pytest.raises(SchemaError, match=r"workload\.kind .* is unknown: this convscale reads convolution"):
        read_record(path)


@pytest.mark.parametrize("document", [{}, {"run": 3}, {"run": {"workload": []}}, {"run": {"workload": {}}}])
def test_a_record_that_names_no_kind_is_the_convolutions(document: dict[str, Any]) -> None:
    assert kind_of(document, "it") is KINDS["convolution"]


def test_a_record_of_another_version_than_its_kinds_is_refused_with_both(tmp_path: Path) -> None:
    path = tmp_path / "0123456789abcdef.json"
    write_json(path, {"schema_version": 2, "run": {"workload": {"kind": "convolution"}}})
    with pytest.raises(SchemaError, match="schema_version 2, but this convscale reads 1"):
        read_record(path)
