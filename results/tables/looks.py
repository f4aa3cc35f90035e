"""What is said of intervals whose launches were added until they were narrow enough (`fab sweep --within`)."""

from __future__ import annotations

from collections.abc import Iterable

from results.estimates import AFTER_LOOKS, CONFIDENCE
from results.formats import plural
from results.records.point import RecordedPoint


def notes(points: Iterable[RecordedPoint]) -> list[str]:
    """The level of the points' intervals, where it is another than usual."""
    looks = max((point.looks for point in points), default=0)
    if not looks:
        return []
    return [
        f"Launches were added until intervals were narrow enough, after {plural(looks, 'look')}. Stopping so makes "
        f"intervals too narrow: they are taken at {AFTER_LOOKS:.0%}, and {CONFIDENCE:.0%} of them cover the truth."
    ]
