"""What comes from the head is no more than words: whatever it says ends in one line."""

import errno
import json

import pytest

from orchestration.executors.remote.protocol import last_object
from orchestration.ssh.connection import UnreachableError


def test_the_last_line_counts():
    assert last_object(b"\n\n{}\n" + json.dumps({"state": "ended"}).encode(), b"") == {"state": "ended"}


@pytest.mark.parametrize("out", [b"", b"[]", b"no", b"[" * 100_000])
def test_what_is_no_answer_is_a_broken_connection(out):
    with pytest.raises(UnreachableError, match="the head gave no answer"):
        last_object(out, b"")


@pytest.mark.parametrize(
    ("said", "number", "words"),
    [
        ([errno.ENOSPC, "No space left on device", "/j"], errno.ENOSPC, "No space left on device"),
        ([None, "the cluster\x1b[2J is busy", None], errno.EIO, "the cluster [2J is busy"),
        ("nonsense", errno.EIO, "nonsense"),
        ([1], errno.EIO, "[1]"),
    ],
)
def test_an_error_over_there_is_one_here(said, number, words):
    with pytest.raises(OSError) as raised:  # noqa: PT011  its parts are looked at
        last_object(json.dumps({"error": said}).encode(), b"")
    assert (raised.value.errno, raised.value.strerror) == (number, words)
