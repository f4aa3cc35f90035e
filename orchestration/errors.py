"""The two ways a task ends early. Each message is the one line that the person reads."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818  not an error of the program
    """Nothing was begun. The message names the value, why it is wrong, and what to do. Exit status 2."""


class Stopped(Exception):  # noqa: N818
    """It began and could not go on (interrupted, disk full). The message says how to continue. Exit status 1."""
