"""What `--within` and its limits ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.durations import duration_s
from orchestration.errors import Refusal
from orchestration.tasks.arguments import number, percentage, positive_amount

if TYPE_CHECKING:
    from orchestration.clusters.inventory import Inventory
    from orchestration.sweep.extension import Goal


def goal_of(inventory: Inventory, within: str, max_launches: str, max_time: str, max_cost: str) -> Goal | None:
    """The goal of the flags; None without `--within`. Raises Refusal."""
    from orchestration.forecast.precision import judge
    from orchestration.sweep.extension import Goal
    from results.estimates import MIN_LAUNCHES

    share = percentage("--within", within)
    if share is None:
        for flag, text in (("--max-launches", max_launches), ("--max-time", max_time), ("--max-cost", max_cost)):
            if text:
                raise Refusal(f"{flag} {text} limits --within, which is not given: add for example --within 5%")
        return None
    given_launches = number("--max-launches", max_launches)
    launches = Goal.most_launches if given_launches is None else given_launches
    if launches < MIN_LAUNCHES:
        raise Refusal(f"--max-launches {max_launches}: an interval takes {MIN_LAUNCHES} launches; give more")
    limits = [(_seconds(max_time), f"--max-time {max_time}"), (_paid_s(inventory, max_cost), f"--max-cost {max_cost}")]
    given = sorted((seconds, flag) for seconds, flag in limits if seconds is not None)
    most_s, flag = given[0] if given else (None, "")
    return Goal(share, lambda paths: judge(paths, share), launches, most_s, flag)


def _seconds(text: str) -> float | None:
    """Of a duration; None for no text. Raises Refusal."""
    if not text:
        return None
    found = duration_s(text)
    if not found:
        raise Refusal(f"--max-time {text!r} is no duration: give for example --max-time 30m, 90s or 2h")
    return found


def _paid_s(inventory: Inventory, text: str) -> float | None:
    """How long the cluster runs for an amount; None for no text. Raises Refusal."""
    cost = positive_amount("--max-cost", text)
    if cost is None:
        return None
    if inventory.price is None or inventory.price.amount_per_hour <= 0.0:
        raise Refusal(f"--max-cost {text}: cluster {inventory.cluster} has no price; give --max-time instead")
    return cost / inventory.price.amount_per_hour * 3600.0
