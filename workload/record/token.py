"""Tokens: what a job's folders are named by, and what its processes carry in their arguments.

A token is the run's id and eight hex digits that all jobs of a sweep share. Whatever carries one exactly may be killed
and removed with the job. Standard library only, and imports nothing of ours: `agent/standalone/` sends its text to
nodes.
"""

from __future__ import annotations

import re

PATTERN = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")
LENGTH = 25


def make_token(run_id: str, sweep: str) -> str:
    """The token of a run in the sweep of these eight digits."""
    return f"{run_id}-{sweep}"


def is_token(text: str) -> bool:
    """Whether the text is a token and nothing else."""
    return PATTERN.fullmatch(text) is not None


def check_token(token: str) -> None:
    """Raises ValueError for anything but a token: an empty or short one would match other people's processes."""
    if not is_token(token):
        raise ValueError(f"{token!r} is not a token: a token is 16 hex digits, a dash and 8 hex digits")


def token_at_end(text: str) -> str | None:
    """The token that a path or an argument ends in, None if it ends in none."""
    return text[-LENGTH:] if is_token(text[-LENGTH:]) else None


def sweep_of(token: str) -> str:
    """The digits that all jobs of the token's sweep share."""
    return token.rpartition("-")[2]
