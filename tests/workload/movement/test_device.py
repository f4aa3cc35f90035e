"""What a GPU was busy with, from the moments of its pieces."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from workload.movement.device import covered, device_seconds


@dataclass
class Moment:
    at_s: float

    def wait(self) -> None: ...

    def seconds_since(self, earlier: Moment) -> float:
        return self.at_s - earlier.at_s


@pytest.mark.parametrize(
    ("spans", "length"),
    [
        ([], 0.0),
        ([(1.0, 3.0)], 2.0),
        ([(5.0, 6.0), (1.0, 3.0)], 3.0),
        ([(1.0, 3.0), (2.0, 5.0)], 4.0),
        ([(1.0, 9.0), (2.0, 3.0), (8.0, 10.0)], 9.0),
    ],
)
def test_spans_cover_what_several_cover_once(spans: list[tuple[float, float]], length: float) -> None:
    assert covered(spans) == pytest.approx(length)


def test_parts_of_pieces_lie_over_each_other_and_the_total_goes_from_first_to_last() -> None:
    pieces = [[Moment(each) for each in moments] for moments in ([10.0, 12.0, 13.0, 15.0], [12.0, 14.0, 15.0, 17.0])]
    assert device_seconds(Moment(9.0), pieces) == pytest.approx(
        {"distribute": 4.0, "convolve": 2.0, "collect": 4.0, "total": 7.0}
    )
