"""What the registers of movements and backends say is there, and what they refuse."""

from importlib import import_module

import pytest

from workload import convolve
from workload.domain import backends
from workload.domain.grid import Grid
from workload.domain.problem import Problem
from workload.movement import descriptions as movements
from workload.movement.descriptions.footprint import choose_grid, predict

PROBLEM = Problem(6, 3, 4, 20, 20, 3)


@pytest.mark.parametrize("name", movements.names())
def test_a_movement_has_its_class_and_its_demand(name: str) -> None:
    description = movements.describe(name)
    module, _, movement = description.implementation.partition(":")
    assert isinstance(getattr(import_module(module), movement), type)
    assert len(predict(PROBLEM, Grid(), name).array_bytes) == 1


@pytest.mark.parametrize("name", backends.names())
def test_a_backend_has_its_code(name: str) -> None:
    assert convolve.load(name).name == name
    assert backends.describe(name).baseline_bytes > 2**20


def test_every_option_belongs_to_a_movement() -> None:
    assert set(movements.option_names()) == {"chunk_bytes", "group_ranks", "in_place", "in_window"}
    assert movements.switch_names() == ("in_place", "in_window")


@pytest.mark.parametrize(
    ("name", "options", "streams"),
    [
        ("pipeline", {}, True),
        ("distributed", {}, False),
        ("distributed", {"chunk_bytes": 1}, True),
        ("tree", {"chunk_bytes": 1}, False),
    ],
)
def test_which_movements_stream(name: str, options: dict[str, int | str | bool], streams: bool) -> None:
    assert movements.describe(name).streams(options) is streams


@pytest.mark.parametrize(("name", "register"), [("pigeon", movements), ("abacus", backends)])
def test_an_unknown_name_is_refused_with_those_there_are(name: str, register: object) -> None:
    with pytest.raises(ValueError, match=f"'{name}' is unknown: it is one of"):
        register.describe(name)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "grid", "words"),
    [
        ("serial", Grid(batch=3), "takes ranks = 1 at most, but the grid has 3 parts"),
        ("replica", Grid(row=2), "cuts the batch alone"),
    ],
)
def test_a_grid_that_a_movement_cannot_serve_is_refused(name: str, grid: Grid, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        predict(PROBLEM, grid, name)


def test_the_chosen_grid_is_one_that_the_movement_serves() -> None:
    one_picture = Problem(1, 3, 4, 20, 20, 3)
    assert choose_grid(PROBLEM, 3, "replica") == Grid(batch=3)
    with pytest.raises(ValueError, match="no grid of 3 parts"):
        choose_grid(one_picture, 3, "replica")
