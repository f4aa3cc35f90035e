"""Aims as ratios: what was reached, with its interval, against a bound. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.estimates import Estimate, time_estimate
from results.formats import estimate

MET, MISSED, OPEN = "met", "missed", "open"


@dataclass(frozen=True)
class Aim:
    """A ratio that shall be `at_most`, or else at least, `bound`; `lacks` says why it was not measured."""

    name: str
    bound: float
    at_most: bool
    ratio: Estimate | None = None
    lacks: str = ""

    @property
    def verdict(self) -> str:
        """`open` where the interval holds the bound."""
        if self.ratio is None:
            return f"not measured: {self.lacks}"
        if self.ratio.low <= self.bound <= self.ratio.high and self.ratio.low < self.ratio.high:
            return OPEN
        reached = self.ratio.value <= self.bound if self.at_most else self.ratio.value >= self.bound
        return MET if reached else MISSED

    @property
    def line(self) -> str:
        """A row of Markdown."""
        wanted = f"{'at most' if self.at_most else 'at least'} {self.bound:g}"
        return f"| {self.name} | {estimate(self.ratio, 3)} | {wanted} | {self.verdict} |"

    def as_dict(self) -> dict[str, object]:
        """As the results file has it."""
        ratio = None if self.ratio is None else {key: getattr(self.ratio, key) for key in ("value", "low", "high")}
        return {
            "aim": self.name, "ratio": ratio, "bound": self.bound, "at_most": self.at_most, "verdict": self.verdict,
        }  # fmt: skip


def paired(above: Sequence[float], below: Sequence[float]) -> Estimate:
    """The ratio of two contenders' seconds, round by round: what slows a round slows both. Interval of 95 %."""
    return time_estimate([one / other for one, other in zip(above, below, strict=True)])


def table(aims: Sequence[Aim]) -> str:
    """Markdown."""
    return "\n".join(["| aim | ratio | wanted | verdict |", "|---|--:|--:|---|", *(aim.line for aim in aims)]) + "\n"
