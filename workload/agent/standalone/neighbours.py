"""Which of the other nodes this one reaches: their SSH servers answer it. Prints a JSON list of those that do not.

A file of its own: the operator sends its text to `python -`. Arguments: addresses. No key is needed, nor used: the
head's is on no other node.
"""

from __future__ import annotations

import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

PORT = 22
LIMIT_S = 4.0
AT_ONCE = 16


def answers(address: str) -> bool:
    """True where an SSH server says its name."""
    try:
        with socket.create_connection((address, PORT), timeout=LIMIT_S) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


if __name__ == "__main__":
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(answers, sys.argv[1:]))
    json.dump([address for address, good in zip(sys.argv[1:], found, strict=True) if not good], sys.stdout)
