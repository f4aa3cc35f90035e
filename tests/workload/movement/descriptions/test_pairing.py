"""What computes on a GPU goes with what takes x there, and with nothing else."""

import pytest

from tests.runs import make_run
from workload.domain import backends
from workload.domain.problem import Problem
from workload.movement import descriptions as movements
from workload.movement.descriptions.pairing import unpaired


def test_every_movement_goes_with_the_backends_of_its_side() -> None:
    for movement in movements.names():
        for backend in backends.names():
            same = movements.describe(movement).on_gpu == backends.describe(backend).on_gpu
            assert (unpaired(movement, backend) is None) is same
    assert backends.names_on_gpu() == ("cuda",)
    assert movements.names_on_gpu() == ("device",)


@pytest.mark.parametrize(
    ("movement", "backend", "words"),
    [("device", "simd", "take backend cuda"), ("shared", "cuda", "take movement device")],
)
def test_a_run_of_others_is_refused(movement: str, backend: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_run(Problem(2, 1, 1, 8, 8, 3), 1, movement=movement, backend=backend)
