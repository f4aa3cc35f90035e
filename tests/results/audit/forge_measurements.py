"""Forgeries of what a record measured: its work, clocks, memory, bytes, parts and check."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.results.audit.forge import Forgery, Record, repeats_of

CLOCKS = ("total_s", "forward_s", "convolve_s")


# Work
def halve_work(forgery: Forgery, least_ranks: int = 1) -> None:
    """As if a program convolved half of its images: a repeat is shorter by what its ranks save at the least.

    Who saves more waits for the others, in MPI. The forged repeats agree with themselves.
    """
    for record in forgery.launches(least_ranks=least_ranks):
        for repeat in repeats_of(record):
            saved_s = min(rank["phases_s"]["convolve"] for rank in repeat["ranks"]) / 2
            for rank in repeat["ranks"]:
                own_s = rank["phases_s"]["convolve"] / 2
                rank["phases_s"]["convolve"] -= own_s
                rank["convolve_cpu_s"] /= 2
                rank["wait_s"] += own_s - saved_s
                rank["mpi_s"] += own_s - saved_s
                rank["cpu_s"] -= saved_s
                rank["app_s"] -= saved_s
            repeat["forward_s"] -= saved_s
            _settle(repeat)


def _settle(repeat: Record) -> None:
    """Makes the clocks of a repeat those of its ranks."""
    repeat["total_s"] = max(rank["app_s"] for rank in repeat["ranks"])
    repeat["convolve_s"] = max(rank["phases_s"]["convolve"] for rank in repeat["ranks"])


def halve_work_of_many(forgery: Forgery) -> None:
    halve_work(forgery, least_ranks=2)


# Clocks
def scale_clock(factor: float, clock: str) -> Callable[[Forgery], None]:
    """One clock of every repeat."""

    def change(forgery: Forgery) -> None:
        for record in forgery.launches():
            for repeat in repeats_of(record):
                repeat[clock] *= factor

    return change


def scale_rank(factor: float) -> Callable[[Forgery], None]:
    """Everything that one rank measures, as by a node whose clock goes wrong."""

    def change(forgery: Forgery) -> None:
        for record in forgery.launches(least_ranks=2):
            for repeat in repeats_of(record):
                scale_times(repeat["ranks"][1], factor)
                _settle(repeat)

    return change


def scale_agreement(factor: float, clock: str) -> Callable[[Forgery], None]:
    """MPI's clock or the system's, over the run."""

    def change(forgery: Forgery) -> None:
        for record in forgery.launches():
            record["clock_agreement"][clock] *= factor

    return change


def scale_cpu(forgery: Forgery) -> None:
    """CPU time by a clock that is fast."""
    for record in forgery.launches():
        for repeat in repeats_of(record):
            for rank in repeat["ranks"]:
                rank["cpu_s"] *= 1.3


def lengthen_all(forgery: Forgery) -> None:
    """All clocks of a run fast alike, but for the head's."""
    for record in forgery.launches():
        for key in ("wtime_s", "monotonic_s"):
            record["clock_agreement"][key] *= 1.5


def lengthen_baseline(factor: float) -> Callable[[Forgery], None]:
    """A slower baseline makes a larger speedup: the one-rank repeats are longer than measured."""

    def change(forgery: Forgery) -> None:
        for record in forgery.launches(most_ranks=1):
            for repeat in repeats_of(record):
                for clock in CLOCKS:
                    repeat[clock] *= factor
                for rank in repeat["ranks"]:
                    scale_times(rank, factor)

    return change


def scale_times(rank: Record, factor: float) -> None:
    rank["phases_s"] = {phase: factor * seconds for phase, seconds in rank["phases_s"].items()}
    for key in ("wait_s", "app_s", "mpi_s", "cpu_s", "convolve_cpu_s"):
        rank[key] *= factor


def shorten_forward(forgery: Forgery) -> None:
    """Forward times below the phases inside them, and totals to match."""
    for record in forgery.launches():
        for repeat in repeats_of(record):
            repeat["total_s"] -= 0.3 * repeat["forward_s"]
            repeat["forward_s"] *= 0.7


# Memory and bytes
def swap_memory(forgery: Forgery) -> None:
    """The root's memory is said to be another rank's."""
    for record in forgery.launches(least_ranks=2):
        first, second = record["memory"][:2]
        first["rank"], second["rank"] = second["rank"], first["rank"]


def equalise_memory(forgery: Forgery) -> None:
    """Every rank is said to take the mean."""
    for record in forgery.launches(least_ranks=2):
        mean = sum(memory["peak_rss_bytes"] for memory in record["memory"]) // len(record["memory"])
        for memory in record["memory"]:
            memory["peak_rss_bytes"] = mean


def halve_memory(forgery: Forgery) -> None:
    for record in forgery.launches():
        for memory in record["memory"]:
            memory["peak_rss_bytes"] //= 2


def halve_bytes(forgery: Forgery) -> None:
    """In the calls and in the prediction."""
    for record in forgery.launches():
        record["predicted"]["moved_bytes"] //= 2
        for call in record["mpi_calls"]:
            call["bytes"] //= 2


# Parts and checks
def drop_rank(key: str) -> Callable[[Forgery], None]:
    """One rank's entries in a list of a record."""

    def change(forgery: Forgery) -> None:
        for record in forgery.launches(least_ranks=2):
            record[key] = [entry for entry in record[key] if entry["rank"] != 1]

    return change


def drop_ranks_times(forgery: Forgery) -> None:
    for record in forgery.launches(least_ranks=2):
        for repeat in repeats_of(record):
            repeat["ranks"] = repeat["ranks"][:1]


def double_ranks_times(forgery: Forgery) -> None:
    """One rank's times stand for another's."""
    for record in forgery.launches(least_ranks=2):
        for repeat in repeats_of(record):
            repeat["ranks"][1] = copy.deepcopy(repeat["ranks"][0])


def drop_placement(forgery: Forgery) -> None:
    for record in forgery.launches(least_ranks=2):
        record["machines"][0]["rank_placement"].pop()


def drop_key(key: str) -> Callable[[Forgery], None]:
    """A part of one record."""

    def change(forgery: Forgery) -> None:
        del next(forgery.launches())[key]

    return change


def change_check(**changes: Any) -> Callable[[Forgery], None]:
    """The check of every answer."""

    def change(forgery: Forgery) -> None:
        for record in forgery.launches():
            record["check"].update(changes)

    return change


def drop_check(forgery: Forgery) -> None:
    for record in forgery.launches():
        record["check"] = {}


def thin_rows(forgery: Forgery) -> None:
    for record in forgery.launches():
        record["check"]["rows_checked"] //= 2


def drop_block(forgery: Forgery) -> None:
    """One rank is said to have computed everything, and the other nothing."""
    for record in forgery.launches(least_ranks=2):
        record["blocks"][0]["output_elements"] += record["blocks"][1]["output_elements"]
        record["blocks"][1]["output_elements"] = 0
