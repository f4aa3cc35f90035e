"""The two ways in which a task ends early, each with the one line that a person reads."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818  what it is: no error of the program's
    """We will not do it: the message holds the value, why it is wrong, and what to do. Exit status 2."""


class Stopped(Exception):  # noqa: N818
    """It began and could not go on (interrupted, disk full): the message says how to go on. Exit status 1."""
